"""Publishes to Threads: a container that fetches the media from the CDN, then one POST /threads_publish.

Scopes: threads_basic, threads_content_publish, and threads_manage_replies for replies, which have an allowance and a
list of their own. Which of them a token has is told to the app's testers, by their own token.
Source: developers.facebook.com/docs/threads/posts, …/docs/threads/troubleshooting, read 2026-10-10,
…/docs/threads/reference/debug, read 2026-11-26.
"""

from dataclasses import replace

from services.platforms.container_posts import ContainerPublisher, Listing
from services.platforms.containers import Dialect
from services.platforms.graph import Service
from services.platforms.ports import Draft
from services.platforms.threads import checks, forms, refusals

SERVICE = Service("Threads", "https://graph.threads.net", "/v1.0", "th_refresh_token", "id", refusals.meaning)
QUOTA = "/threads_publishing_limit"
DIALECT = Dialect(
    create="/threads",
    publish="/threads_publish",
    status="status",
    reason="error_message",
    failed=refusals.failed,
    quota=(QUOTA, "quota_usage", "config"),
)
OF_REPLIES = replace(DIALECT, quota=(QUOTA, "reply_quota_usage", "reply_config"))


def _is_reply(draft: Draft) -> bool:
    return "replyToId" in draft.options


PUBLISHER = ContainerPublisher(
    id=checks.PLATFORM,
    service=SERVICE,
    problems=checks.problems,
    wanted=forms.wanted,
    dialect=lambda draft: OF_REPLIES if _is_reply(draft) else DIALECT,
    listing=lambda draft: Listing("/replies" if _is_reply(draft) else "/threads", "text", draft.text),
    scopes=(("threads_basic",), ("threads_content_publish",)),
)
