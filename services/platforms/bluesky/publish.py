"""Publishes to Bluesky: blobs first, then one record under a key of our own choice.

The key makes a second try safe: a PDS takes one record per key. Source: bluesky-social/atproto
lexicons/com/atproto/repo/*.json, packages/pds/src/api/com/atproto/repo/.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import httpx

from services.platforms.bluesky import checks, multipart, record, refusals, video
from services.platforms.bluesky.session import Session, Sessions
from services.platforms.bluesky.tid import tid
from services.platforms.calls import body, list_at, once, repeatable, text_at
from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    Asset,
    CannotTell,
    Draft,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip

MENTIONS = "mentions"


class Bluesky:
    """ports.Publisher for accounts on bsky.social and on self-hosted PDSes."""

    id = checks.PLATFORM

    def __init__(self) -> None:
        self._sessions = Sessions()

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Opens a session, which later calls then use."""
        session = await self._sessions.reopen(http, account)
        return VerifiedAccount(session.handle, session.did, account.credentials)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """The record's key."""
        return tid(now, int.from_bytes(random_bytes(2), "big"))

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Uploads what the record will refer to, and finds out whom it mentions."""
        session = await self._sessions.open(http, account)

        async def work() -> Mapping[str, JSON]:
            dids = await _dids(http, session, draft, progress)
            blobs: list[JSON] = [
                dict(await _blob(http, account, session, asset, progress, index))
                for index, asset in enumerate(draft.assets)
            ]
            return {
                "did": session.did, "handle": session.handle, "service": session.base_url,
                "blobs": blobs, "dids": dict(dids),
            }  # fmt: skip

        return await self._authorized(account, work())

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """createRecord under the key. A key that is taken is a 5xx, so its outcome is unknown, and found by looking."""
        session = await self._sessions.open(http, account)
        did, dids = text_at(prepared, "did"), prepared.get("dids")
        known = {name: str(value) for name, value in dids.items()} if isinstance(dids, dict) else {}
        wanted: dict[str, JSON] = {
            "repo": did,
            "collection": record.COLLECTION,
            "rkey": handle,
            "record": record.post(draft, list_at(prepared, "blobs"), known),
        }
        url = f"{session.base_url}/xrpc/com.atproto.repo.createRecord"
        answer = await once(http.post(url, json=wanted, headers=session.headers))
        if answer.is_success:
            if text_at(body(answer), "uri") != _uri(did, handle):
                raise OutcomeUnknown("the PDS answered without the record's address")
            return _receipt(prepared, handle)
        raise self._sessions.refused(account, refusals.refusal(answer))

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Looks for the record, without a session: posts are public, and the password may have changed meanwhile."""
        query = {"repo": text_at(prepared, "did"), "collection": record.COLLECTION, "rkey": handle}
        url = f"{text_at(prepared, 'service')}/xrpc/com.atproto.repo.getRecord"
        answer = await repeatable(http.get(url, params=query))
        if answer.is_success:
            found = text_at(body(answer), "uri") == _uri(query["repo"], handle)
            return _receipt(prepared, handle) if found else CannotTell()
        error = refusals.refusal(answer)
        if error.code == "record_not_found":
            return Absent(safe_to_send=True)
        if error.code == "rate_limit_exceeded":
            raise error
        return CannotTell()

    async def abandon(
        self, http: httpx.AsyncClient, account: Account, progress: Mapping[str, Mapping[str, JSON]]
    ) -> str:
        """Aborts a video's upload in parts. Blobs no record refers to are the PDS's to forget."""
        if multipart.STEP not in progress:
            return ""
        return await video.abandon(http, await self._sessions.open(http, account), progress)

    async def _authorized(self, account: Account, work: Awaitable[Mapping[str, JSON]]) -> Mapping[str, JSON]:
        try:
            return await work
        except PlatformError as exc:
            raise self._sessions.refused(account, exc) from exc


async def _blob(
    http: httpx.AsyncClient, account: Account, session: Session, asset: Asset, progress: Progress, index: int
) -> Mapping[str, JSON]:
    if asset.is_video:
        return await video.bring(http, account, session, asset, progress)
    step = f"image{index}"
    if (saved := progress.load(step)) is not None:
        return saved
    blob = await video.upload_blob(http, session, asset)
    await progress.save(step, blob)
    return blob


async def _dids(http: httpx.AsyncClient, session: Session, draft: Draft, progress: Progress) -> Mapping[str, JSON]:
    """Whom the text mentions; handles nobody has are left out."""
    handles = record.mentioned(draft.text)
    if not handles:
        return {}
    if (saved := progress.load(MENTIONS)) is not None:
        return saved
    found: dict[str, JSON] = {}
    for handle in handles:
        url = f"{session.base_url}/xrpc/com.atproto.identity.resolveHandle"
        answer = await repeatable(http.get(url, params={"handle": handle}))
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise refusals.refusal(answer)
        if answer.is_success and (did := text_at(body(answer), "did")):
            found[handle] = did
    await progress.save(MENTIONS, found)
    return found


def _uri(did: str, rkey: str) -> str:
    return f"at://{did}/{record.COLLECTION}/{rkey}"


def _receipt(prepared: Mapping[str, JSON], rkey: str) -> Receipt:
    did = text_at(prepared, "did")
    return Receipt(_uri(did, rkey), record.page_url(text_at(prepared, "handle"), did, rkey))


PUBLISHER = Bluesky()
