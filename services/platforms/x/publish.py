"""Publishes to X: media first, then one POST /2/tweets.

X has no key that makes a second try safe, so a lost answer is looked up in the account's own timeline, and a post
that is not there yet may still appear. Source: docs.x.com/x-api/posts/create-post, docs.x.com/x-api/posts/timelines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import httpx

from services.platforms import oauth
from services.platforms.bearer import Api
from services.platforms.calls import body, list_at, once, text_at
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
from services.platforms.scopes import require
from services.platforms.x import checks, timeline
from services.platforms.x.api import SERVICE, Me, ask_me
from services.platforms.x.media import Upload

MARGIN = timedelta(seconds=60)  # between our clock and X's
PAGE = 100
MAX_PAGES = 5
FIELDS = "created_at,attachments,entities"
SCOPES = (("tweet.read",), ("tweet.write",), ("users.read",), ("media.write",))


class X:
    """ports.Publisher for accounts on x.com."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks whose token it is. What it may do is told with the token alone, hence by who connects the account."""
        me, credentials = await oauth.with_renewal(account, lambda tried: ask_me(Api(SERVICE, http, tried)))
        require(SERVICE.name, credentials.get("scope", ""), SCOPES)
        known = {**credentials, "user_id": me.user_id, "username": me.username}
        return VerifiedAccount(f"@{me.username}", me.user_id, known)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None: X cannot tell two tries apart."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Uploads and describes the media."""
        api = Api(SERVICE, http, account)
        me = await _me(api)
        media: list[JSON] = []
        for index, asset in enumerate(draft.assets):
            medium = await Upload(api, asset, progress, index).bring()
            media.append({"id": medium.media_id, "key": medium.media_key})
        return {"userId": me.user_id, "username": me.username, "media": media}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """POST /2/tweets. A text X calls a duplicate may be ours, of a try whose answer was lost, and is looked for."""
        api = Api(SERVICE, http, account)
        answer = await once(http.post(api.url("/2/tweets"), json=_post(draft, prepared), headers=api.headers))
        if answer.is_success:
            post_id = text_at(body(answer), "data", "id")
            if not post_id:
                raise OutcomeUnknown("X answered without the post's id")
            return _receipt(prepared, post_id)
        error = await api.refusal(answer)
        if error.code == DUPLICATE_POST:
            found = await _look(api, draft, prepared, draft.created_at)
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
        """Looks through the account's own timeline. What is not there may appear later."""
        return await _look(Api(SERVICE, http, account), draft, prepared, since)


async def _me(api: Api) -> Me:
    known = api.account.credentials
    if known.get("user_id") and known.get("username"):
        return Me(known["user_id"], known["username"])
    return await ask_me(api)


async def _look(api: Api, draft: Draft, prepared: Mapping[str, JSON], since: datetime) -> Receipt | Absent | CannotTell:
    media = cast("list[Mapping[str, JSON]]", list_at(prepared, "media"))
    query = {
        "start_time": (since - MARGIN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "max_results": str(PAGE),
        "tweet.fields": FIELDS,
        "exclude": "retweets",
    }
    for _ in range(MAX_PAGES):
        try:
            page = await api.get(f"/2/users/{text_at(prepared, 'userId')}/tweets", query)
        except PlatformError as exc:
            if exc.code in ("post_refused", "not_found"):
                return CannotTell()
            raise
        for found in list_at(page, "data"):
            if timeline.is_post(found, draft, media):
                return replace(_receipt(prepared, text_at(found, "id")), looked_up=True)
        token = text_at(page, "meta", "next_token")
        if not token:
            return Absent(safe_to_send=False)
        query["pagination_token"] = token
    return CannotTell()


def _post(draft: Draft, prepared: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body of POST /2/tweets."""
    wanted: dict[str, JSON] = {"text": draft.text} if draft.text.strip() else {}
    media: list[JSON] = [text_at(one, "id") for one in list_at(prepared, "media")]
    if media:
        wanted["media"] = {"media_ids": media}
    if reply_to := draft.options.get("replyToId"):
        wanted["reply"] = {"in_reply_to_tweet_id": reply_to}
    names = {"quoteId": "quote_tweet_id", "madeWithAi": "made_with_ai", "paidPartnership": "paid_partnership"}
    return wanted | {theirs: draft.options[ours] for ours, theirs in names.items() if ours in draft.options}


def _receipt(prepared: Mapping[str, JSON], post_id: str) -> Receipt:
    return Receipt(post_id, f"https://x.com/{text_at(prepared, 'username') or 'i/web'}/status/{post_id}")


PUBLISHER = X()
