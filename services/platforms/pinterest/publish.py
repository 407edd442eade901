"""Publishes to Pinterest: a video first, then one POST /v5/pins, which carries images itself.

Pinterest has no key that makes a second try safe, so a lost answer is looked up among the board's pins.
Source: github.com/pinterest/api-description v5/openapi.json.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import httpx

from services.platforms import oauth
from services.platforms.bearer import Api
from services.platforms.calls import WHOSE, answered_without, body, list_at, once, text_at, whole
from services.platforms.pinterest import boards, checks, pins, video
from services.platforms.pinterest.boards import SERVICE
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
from services.platforms.scopes import require

MARGIN = timedelta(seconds=5)  # between clocks; an older pin may say the same, and be another one
PAGE = 100
MAX_PAGES = 10
SCOPES = (("boards:read",), ("pins:read",), ("pins:write",), ("user_accounts:read",))


class Pinterest:
    """ports.Publisher for accounts on pinterest.com."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks whose token it is, and where its pins go unless told otherwise.

        What it may do is told with the token alone, hence by who connects the account.
        """

        async def ask(tried: Account) -> tuple[str, str, str]:
            api = Api(SERVICE, http, tried)
            found = await api.get("/v5/user_account")
            return text_at(found, "username"), text_at(found, "id"), await boards.default(api)

        (username, user_id, board_id), credentials = await oauth.with_renewal(account, ask)
        if not username:
            raise answered_without("Pinterest", WHOSE)
        require(SERVICE.name, credentials.get("scope", ""), SCOPES)
        known = {**credentials, **({"board_id": board_id} if board_id else {})}
        return VerifiedAccount(username, user_id or username, known)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None: Pinterest cannot tell two tries apart."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Chooses the board and uploads a video; images travel with the pin."""
        api = Api(SERVICE, http, account)
        prepared: dict[str, JSON] = {"boardId": await boards.choose(api, draft, progress)}
        if draft.assets[0].is_video:
            prepared["mediaId"] = await video.bring(api, draft.assets[0], progress)
        return prepared

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """POST /v5/pins. All bytes are read before the first one is sent."""
        api = Api(SERVICE, http, account)
        wanted = pins.pin(draft, text_at(prepared, "boardId"), await _source(draft, prepared))
        answer = await once(http.post(api.url("/v5/pins"), json=wanted, headers=api.headers))
        if answer.is_success:
            pin_id = text_at(body(answer), "id")
            if not pin_id:
                raise OutcomeUnknown("Pinterest answered without the pin's id")
            return _receipt(pin_id)
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
        """Looks through the board's pins for one of these words. What is not there may appear later."""
        if not pins.says_something(draft):
            return CannotTell()
        api = Api(SERVICE, http, account)
        path, query = _listing(draft, prepared), {"page_size": str(PAGE)}
        ours: list[JSON] = []
        for _ in range(MAX_PAGES):
            try:
                page = await api.get(path, query)
            except PlatformError as exc:
                if exc.fault is Fault.PERMANENT:
                    return CannotTell()
                raise
            ours += [found for found in list_at(page, "items") if pins.is_pin(found, draft, since - MARGIN)]
            bookmark = text_at(page, "bookmark")
            if not bookmark:
                return _eldest(ours) or Absent(safe_to_send=False)
            query = {**query, "bookmark": bookmark}
        return _eldest(ours) or CannotTell()


async def _source(draft: Draft, prepared: Mapping[str, JSON]) -> dict[str, JSON]:
    if media_id := text_at(prepared, "mediaId"):
        cover = draft.cover
        given = (cover.content_type, await whole(cover.read())) if cover else None
        return await asyncio.to_thread(pins.video_source, media_id, given)
    if not pins.goes_inline(draft.assets):
        return pins.url_source(draft.assets, checks.items_of(draft))
    images = [(asset.content_type, await whole(asset.read())) for asset in draft.assets]
    return await asyncio.to_thread(pins.inline_source, images, checks.items_of(draft))


def _listing(draft: Draft, prepared: Mapping[str, JSON]) -> str:
    board = f"/v5/boards/{text_at(prepared, 'boardId')}"
    section = draft.options.get("boardSectionId")
    return f"{board}/sections/{section}/pins" if section else f"{board}/pins"


def _age(found: JSON) -> float:
    made = pins.created_at(found)
    return made.timestamp() if made else 0.0


def _eldest(pins_alike: Sequence[JSON]) -> Receipt | None:
    if not pins_alike:
        return None
    return replace(_receipt(text_at(min(pins_alike, key=_age), "id")), looked_up=True)


def _receipt(pin_id: str) -> Receipt:
    return Receipt(pin_id, f"https://www.pinterest.com/pin/{pin_id}/")


PUBLISHER = Pinterest()
