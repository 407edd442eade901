"""Publishes to Mastodon: media first, then one POST /api/v1/statuses under a key of our own choice.

For an hour the key makes a second try safe: the server answers with the post it has. After that a lost answer is
looked up among the account's posts. The handle tells when it was made, since a later try does not prolong the hour.
Source: docs.joinmastodon.org/methods/statuses, docs.joinmastodon.org/methods/accounts/#statuses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx

from services.platforms import oauth
from services.platforms.bearer import Api
from services.platforms.calls import body, list_at, once, repeatable, text_at
from services.platforms.mastodon import checks, limits
from services.platforms.mastodon.api import ask_me, connect, require_scopes
from services.platforms.mastodon.media import Upload
from services.platforms.mastodon.statuses import is_post, status
from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip

KEY_SAFE = timedelta(minutes=50)  # a server keeps a key for an hour; the rest is for the second try itself
# A server knows a key once the post is made, so two requests at once make two: what is not there may be on its way.
SETTLED = timedelta(seconds=60)
MARGIN = timedelta(seconds=60)  # between our clock and the server's
PAGE = 40
MAX_PAGES = 5
MAX_URL_CHARS = 2_048
CHECKED = "limits"


class Mastodon:
    """ports.Publisher for accounts on any server."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks the server whose token it is, and what its app may do."""
        me, credentials = await oauth.with_renewal(account, lambda tried: ask_me(connect(http, tried)))
        await require_scopes(connect(http, replace(account, credentials=credentials)))
        return VerifiedAccount(me.name, me.user_id, {**credentials, "user_id": me.user_id})

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """The key: seconds since 1970, and chance."""
        return f"{int(now.timestamp())}-{random_bytes(12).hex()}"

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Reads the server's limits, then uploads the media."""
        api = connect(http, account)
        user_id = account.credentials.get("user_id") or (await ask_me(api)).user_id
        if progress.load(CHECKED) is None:
            await _refuse_unfit(api, draft)
            await progress.save(CHECKED, {"kept": True})
        media: list[JSON] = [
            await Upload(
                api, asset, progress, f"media{index}", focus=checks.focus_of(draft, index), cover=draft.cover
            ).bring()
            for index, asset in enumerate(draft.assets)
        ]
        return {"userId": user_id, "media": media}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """POST /api/v1/statuses."""
        api = connect(http, account)
        headers = {**api.headers, "Idempotency-Key": handle}
        wanted = status(draft, list_at(prepared, "media"))
        answer = await once(http.post(api.url("/api/v1/statuses"), json=wanted, headers=headers))
        if answer.is_success:
            found = body(answer)
            if not text_at(found, "id"):
                raise OutcomeUnknown("the server answered without the post's id")
            return _receipt(found)
        raise await api.refusal(answer)

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Looks through the account's posts; what is not there may be sent again while the server knows the key."""
        made_at = _made_at(handle, since)
        found = await _look(connect(http, account), draft, prepared, made_at)
        if isinstance(found, Receipt):
            return found
        now = datetime.now(UTC)
        if now - since < SETTLED:
            return CannotTell()
        return Absent(safe_to_send=True) if now - made_at < KEY_SAFE else found


async def _refuse_unfit(api: Api, draft: Draft) -> None:
    """Raises PlatformError(PERMANENT) for what this server would refuse. Servers before 4.0 do not tell."""
    answer = await repeatable(api.http.get(api.url("/api/v2/instance"), headers=api.headers))
    if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
        raise await api.refusal(answer)
    known = limits.read(body(answer)) if answer.is_success else limits.defaults()
    for problem in limits.problems(draft, known):
        raise PlatformError(Fault.PERMANENT, problem.rule, problem.message)


async def _look(api: Api, draft: Draft, prepared: Mapping[str, JSON], since: datetime) -> Receipt | Absent | CannotTell:
    """Newest first, back to `since`."""
    url = api.url(f"/api/v1/accounts/{text_at(prepared, 'userId')}/statuses")
    query = {"limit": str(PAGE), "exclude_reblogs": "true"}
    for _ in range(MAX_PAGES):
        answer = await repeatable(api.http.get(url, params=query, headers=api.headers))
        if answer.status_code in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
            return CannotTell()
        if not answer.is_success:
            raise await api.refusal(answer)
        page = list_at({"posts": answer.json()}, "posts")
        for found in page:
            if _created_at(found) < since - MARGIN:
                return Absent(safe_to_send=False)
            if is_post(found, draft, list_at(prepared, "media")):
                return replace(_receipt(found), looked_up=True)
        if not page:
            return Absent(safe_to_send=False)
        query["max_id"] = text_at(page[-1], "id")
    return CannotTell()


def _created_at(found: JSON) -> datetime:
    return datetime.fromisoformat(text_at(found, "created_at"))


def _made_at(handle: str, since: datetime) -> datetime:
    seconds = handle.partition("-")[0]
    return min(since, datetime.fromtimestamp(int(seconds), UTC)) if seconds.isdigit() else since


def _receipt(found: "JSON | Mapping[str, JSON]") -> Receipt:
    """The server is anybody's, so an address that no browser should follow is none."""
    url = text_at(found, "url")
    followed = url.startswith(("https://", "http://")) and len(url) <= MAX_URL_CHARS
    return Receipt(text_at(found, "id"), url if followed else None)


PUBLISHER = Mastodon()
