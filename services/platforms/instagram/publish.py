"""Publishes to Instagram: a container that fetches the media from the CDN, then one POST /media_publish.

For professional accounts, by Instagram Login with the scopes instagram_business_basic and
instagram_business_content_publish. Source: developers.facebook.com/docs/instagram-platform/content-publishing,
…/instagram-graph-api/reference/ig-user/content_publishing_limit, read 2026-10-10.
"""

from collections.abc import Mapping

from services.platforms.container_posts import ContainerPublisher, Listing
from services.platforms.containers import Dialect
from services.platforms.graph import Service
from services.platforms.instagram import checks, forms, refusals
from services.platforms.ports import JSON, Draft

SERVICE = Service("Instagram", "https://graph.instagram.com", "/v25.0", "ig_refresh_token", "user_id", refusals.meaning)
DIALECT = Dialect(
    create="/media",
    publish="/media_publish",
    status="status_code",
    reason="status",
    failed=refusals.failed,
    quota=("/content_publishing_limit", "quota_usage", "config"),
)


def _listing(draft: Draft) -> Listing:
    story = checks.kind(draft) == "story"
    return Listing("/stories" if story else "/media", "caption", None if story else draft.text)


def _preset(options: Mapping[str, JSON]) -> str:
    return f"{checks.PLATFORM}.story" if options.get("mediaType") == "story" else ""


PUBLISHER = ContainerPublisher(
    id=checks.PLATFORM,
    service=SERVICE,
    problems=checks.problems,
    wanted=forms.wanted,
    dialect=lambda _: DIALECT,
    listing=_listing,
    preset=_preset,
)
