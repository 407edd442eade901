"""Publishes to TikTok: a video in chunks, the last of which makes the post; photos by one request that names them.

A video's post has its id before anything is visible, so whatever is lost, the id tells. A post of photos has one only
once the request is answered. Source: developers.tiktok.com/doc/content-posting-api-get-started, read 2026-10-08.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import httpx

from services.platforms import oauth
from services.platforms.calls import WHOSE, answered_without, once, text_at
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
    ScopeMissingError,
    Underway,
    VerifiedAccount,
)  # fmt: skip
from services.platforms.tiktok import checks, forms, refusals, uploads
from services.platforms.tiktok.api import PUBLISH, Creator, Status, TikTok

POLL_S = 3.0  # of 30 a minute
ADDRESS_WITHIN = timedelta(seconds=60)  # a public post without an address by then is published without


class TikTokPublisher:
    """ports.Publisher for accounts on tiktok.com."""

    id = checks.PLATFORM

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See checks.py."""
        return list(checks.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks whose token it is, and whether it may post."""

        async def ask(tried: Account) -> tuple[str, str, Creator]:
            tiktok = TikTok(http, tried)
            open_id, name = await tiktok.me()
            try:
                return open_id, name, await tiktok.creator()
            except PlatformError as exc:
                if exc.code == refusals.SCOPE_MISSING:
                    raise ScopeMissingError("TikTok", ["video.publish"]) from exc
                raise

        (open_id, name, creator), credentials = await oauth.with_renewal(account, ask)
        if not open_id:
            raise answered_without("TikTok", WHOSE)
        known = {**credentials, "username": creator.username}
        return VerifiedAccount(name or creator.username or open_id, open_id, known)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None of ours: TikTok gives it, with the upload."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Asks what the account may post, and brings a video but for its last chunk. Photos are fetched later."""
        tiktok = TikTok(http, account)
        if not checks.is_video(draft):
            _refuse_unfit(await tiktok.creator(), draft)
            return {}
        upload = uploads.Upload(tiktok, draft, progress)
        if upload.begun() is None:
            _refuse_unfit(await tiktok.creator(), draft)
        return (await upload.bring()).to_json()

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """The last chunk, or the one request; unless the post of this id is known to need none any more."""
        tiktok, publish_id = TikTok(http, account), text_at(prepared, "publishId")
        if not publish_id:
            raise await _begun(tiktok, draft)
        status = await tiktok.status(publish_id)
        if status.word == "FAILED":
            raise refusals.failed(status.reason)
        if checks.is_video(draft) and not uploads.is_sent(status, draft.assets[0].size_bytes):
            await uploads.finish(tiktok, draft, uploads.place_in(prepared).url, POLL_S)
        return _receipt(account, draft, status)

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Asks what became of the post of this id. Photos without one cannot be told from others."""
        publish_id = text_at(prepared, "publishId")
        if not publish_id:
            return CannotTell(for_good=True)
        try:
            status = await TikTok(http, account).status(publish_id)
        except PlatformError as exc:
            if exc.fault in (Fault.PERMANENT, Fault.REBUILD):
                return CannotTell()
            raise
        size = draft.assets[0].size_bytes
        if status.word == "FAILED" or (checks.is_video(draft) and not uploads.is_sent(status, size)):
            return Absent(safe_to_send=True)
        looked_at = status.word == "PUBLISH_COMPLETE" and not status.post_id and forms.privacy(draft) == forms.PUBLIC
        if looked_at and datetime.now(UTC) - since < ADDRESS_WITHIN:
            raise Underway(retry_after_s=POLL_S)
        return _receipt(account, draft, status)


def _refuse_unfit(creator: Creator, draft: Draft) -> None:
    """Raises PlatformError for what this account may not post, others may."""
    wanted = forms.privacy(draft)
    if wanted not in creator.privacies:
        ours = [name for name, theirs in checks.PRIVACIES.items() if theirs in creator.privacies]
        message = f"The account takes the privacy {', '.join(ours) or 'of no kind'}; TikTok tells it by its settings."
        raise PlatformError(Fault.PERMANENT, "privacy_refused", message)
    lasts_s, limit_s = draft.assets[0].duration_s, creator.max_duration_s
    if lasts_s is not None and limit_s is not None and lasts_s > limit_s:
        message = f"The video lasts {lasts_s:.1f} s; TikTok takes {limit_s:g} s of this account."
        raise PlatformError(Fault.PERMANENT, "video_too_long", message)


async def _begun(tiktok: TikTok, draft: Draft) -> Underway:
    """What to raise once TikTok was asked for a post of photos."""
    answer = await once(tiktok.sent(f"{PUBLISH}/content/init/", forms.photos(draft)))
    publish_id = text_at(await tiktok.read(answer), "publish_id")
    if not publish_id:
        raise OutcomeUnknown("TikTok answered without the post's id")
    return Underway({"publishId": publish_id}, retry_after_s=POLL_S)


def _receipt(account: Account, draft: Draft, status: Status) -> Receipt:
    """Of a post that is published; one that is not public, or still looked at, has no address. Raises Underway."""
    if status.word != "PUBLISH_COMPLETE":
        raise Underway(retry_after_s=POLL_S)
    username = account.credentials.get("username", "")
    kind = "video" if checks.is_video(draft) else "photo"
    url = f"https://www.tiktok.com/@{username}/{kind}/{status.post_id}" if username and status.post_id else None
    return Receipt(status.post_id, url)


PUBLISHER = TikTokPublisher()
