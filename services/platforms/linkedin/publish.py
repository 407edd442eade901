"""Publishes to LinkedIn: media first, then one POST /rest/posts.

LinkedIn has no key that makes a second try safe, so a lost answer is looked up among the author's posts, where the
account may list them; most persons' may not. Source: learn.microsoft.com/linkedin/marketing/community-management/
shares/posts-api, read 2026-09-19.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import httpx

from services.platforms import oauth
from services.platforms.calls import list_at, once, text_at
from services.platforms.linkedin import checks, posts, refusals
from services.platforms.linkedin.api import LinkedIn
from services.platforms.linkedin.media import Upload
from services.platforms.ports import (
    DUPLICATE_POST,
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip

PAGE = 100


class LinkedInPublisher:
    """ports.Publisher for members and organizations on linkedin.com."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks who the account is and, in the app's name, whether it may post."""
        author, credentials = await oauth.with_renewal(account, lambda tried: LinkedIn(http, tried).author())
        await LinkedIn(http, replace(account, credentials=credentials)).require_scope()
        return VerifiedAccount(author.name, author.urn, {**credentials, "author": author.urn})

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None: LinkedIn cannot tell two tries apart."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Uploads the media, and waits until LinkedIn can show them."""
        linkedin = LinkedIn(http, account)
        author = account.credentials.get("author") or (await linkedin.author()).urn
        uploads = [Upload(linkedin, author, asset, progress, index) for index, asset in enumerate(draft.assets)]
        for upload in uploads:
            await upload.send()
        media: list[JSON] = [await upload.available() for upload in uploads]
        return {"author": author, "media": media}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """POST /rest/posts. What LinkedIn calls a duplicate may be ours, of a try whose answer was lost."""
        linkedin = LinkedIn(http, account)
        wanted = posts.post(draft, text_at(prepared, "author"), _media(prepared))
        answer = await once(linkedin.send("/rest/posts", wanted))
        if answer.is_success:
            urn = answer.headers.get("x-restli-id", "")
            if not urn:
                raise OutcomeUnknown("LinkedIn answered without the post's id")
            return _receipt(urn)
        error = await linkedin.api.refusal(answer)
        if error.code == DUPLICATE_POST:
            found = await _look(linkedin, draft, prepared, draft.created_at)
            if isinstance(found, Receipt):
                return found
        raise error

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Looks through the author's newest posts. What is not there may appear later."""
        return await _look(LinkedIn(http, account), draft, prepared, since)


async def _look(
    linkedin: LinkedIn, draft: Draft, prepared: Mapping[str, JSON], since: datetime
) -> Receipt | Absent | CannotTell:
    query = {"q": "author", "author": text_at(prepared, "author"), "count": str(PAGE), "sortBy": "CREATED"}
    try:
        found = await linkedin.get("/rest/posts", query)
    except PlatformError as exc:
        if exc.code == refusals.NOT_PERMITTED:
            return CannotTell(for_good=True)
        raise
    for one in list_at(found, "elements"):
        if posts.is_post(one, draft, _media(prepared), since):
            return replace(_receipt(text_at(one, "id")), looked_up=True)
    return Absent(safe_to_send=False)


def _media(prepared: Mapping[str, JSON]) -> list[str]:
    return [str(urn) for urn in list_at(prepared, "media")]


def _receipt(urn: str) -> Receipt:
    return Receipt(urn, f"https://www.linkedin.com/feed/update/{urn}/")


PUBLISHER = LinkedInPublisher()
