"""Videos on their way into the PDS.

Which service takes a video, by the first rule that fits:
    1. the credential `video_service`, the URL of one
    2. an account of the public network: video.bsky.app
    3. a self-hosted service that answers app.bsky.video.getUploadLimits itself: that one
    4. otherwise none: the video goes straight to the PDS as a blob, and the network's AppView encodes it later

A large one goes to the service in parts, see multipart.py, unless the service knows only uploads in one request.

Source: bluesky-social/atproto lexicons/app/bsky/video/*.json; docs.bsky.app/docs/tutorials/video.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from services.platforms.bluesky import jobs, multipart, refusals
from services.platforms.bluesky.jobs import Job
from services.platforms.bluesky.session import Session
from services.platforms.calls import answered_without, body, repeatable, text_at, unreachable
from services.platforms.ports import JSON, Account, Asset, Fault, PlatformError, Progress

PUBLIC_SERVICE = "https://video.bsky.app"
POLL_S = 1.5  # as often as the official app asks
STEP = "video"

LIMITS = "app.bsky.video.getUploadLimits"
UPLOAD = "app.bsky.video.uploadVideo"


@dataclass(frozen=True, slots=True)
class Service:
    """url: of the service.   did: who its tokens are for, where they are not for the PDS."""

    url: str
    did: str


async def bring(
    http: httpx.AsyncClient, account: Account, session: Session, asset: Asset, progress: Progress
) -> Mapping[str, JSON]:
    """The video's blob, however often this has to be called for it.

    Raises PlatformError: NOT_READY while the service encodes.
    """
    saved = progress.load(STEP) or {}
    if (blob := jobs.blob(saved)) is not None:
        return blob
    if job_id := text_at(saved, "jobId"):
        job = await jobs.status(http, text_at(saved, "service"), job_id)
        return await _settled(job, progress, saved)
    pds = await _describe(http, session)
    parts = multipart.Service(http, session, audience=text_at(pds, "did"))
    sender = multipart.Sender(parts, asset, progress)
    # One that was begun is part of what the allowance counts, so it is not asked again.
    if (begun := multipart.begun(progress.load(multipart.STEP))) is not None:
        return await _started(begun.service, await sender.send(begun), progress)
    service = await _choose(http, account, session, pds)
    if service is None:
        blob = await _straight(http, session, asset, pds)
        await progress.save(STEP, {"blob": dict(blob)})
        return blob
    if multipart.is_worth_it(asset) and (begun := await sender.begin(service.url)) is not None:
        return await _started(service.url, await sender.send(begun), progress)
    job = await upload(http, session, service.url, asset, audience=text_at(pds, "did"))
    return await _started(service.url, job, progress)


async def abandon(http: httpx.AsyncClient, session: Session, progress: Mapping[str, Mapping[str, JSON]]) -> str:
    """Aborts an upload in parts that was begun and is no job yet; else the service holds it against the account.

    Returns what was done; "" if there was none. Raises PlatformError. An upload in one request leaves nothing open.
    """
    upload = multipart.begun(progress.get(multipart.STEP))
    if upload is None or STEP in progress:
        return ""
    pds = await _describe(http, session)
    state = await multipart.Service(http, session, audience=text_at(pds, "did")).abort(upload)
    return f"an upload in parts is {state}"


async def upload_blob(http: httpx.AsyncClient, session: Session, asset: Asset) -> Mapping[str, JSON]:
    """The asset's blob in the PDS, as the PDS describes it. Raises PlatformError."""
    headers = {**session.headers, "Content-Type": asset.content_type, "Content-Length": str(asset.size_bytes)}
    answer = await repeatable(
        http.post(f"{session.base_url}/xrpc/{jobs.UPLOAD_BLOB}", headers=headers, content=asset.read())
    )
    if not answer.is_success:
        raise refusals.refusal(answer)
    blob = jobs.blob(body(answer))
    if blob is None or blob.get("size") != asset.size_bytes:
        raise answered_without("The PDS", "the blob that was sent")
    return blob


async def upload(http: httpx.AsyncClient, session: Session, service_url: str, asset: Asset, *, audience: str) -> Job:
    """Sends the video to the service in one request, which brings it into the PDS `audience`. Raises PlatformError."""
    token = await jobs.service_token(http, session, audience, jobs.UPLOAD_BLOB)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": asset.content_type,
        "Content-Length": str(asset.size_bytes),
    }
    query = {"did": session.did, "name": "video.mp4"}
    answer = await repeatable(
        http.post(f"{service_url}/xrpc/{UPLOAD}", params=query, headers=headers, content=asset.read())
    )
    job = jobs.read(answer)
    # A video it knows already is answered as an error that holds what we want.
    if job.job_id or job.blob is not None:
        return job
    if answer.is_success:
        raise answered_without("The video service", "a job")
    raise refusals.refusal(answer)


async def _started(service_url: str, job: Job, progress: Progress) -> Mapping[str, JSON]:
    return await _settled(job, progress, {"service": service_url, "jobId": job.job_id})


async def _settled(job: Job, progress: Progress, saved: Mapping[str, JSON]) -> Mapping[str, JSON]:
    # A blob counts, whatever else is said: "already_exists" is told as a failure.
    if job.blob is not None:
        await progress.save(STEP, {**saved, "blob": dict(job.blob)})
        return job.blob
    if job.state == jobs.FAILED:
        raise refusals.named(job.error or "generic_failure", job.message)
    if progress.load(STEP) != saved:
        await progress.save(STEP, saved)
    # States we do not know are steps on the way.
    raise PlatformError(Fault.NOT_READY, "video_processing", "Bluesky is processing the video.", retry_after_s=POLL_S)


async def _choose(
    http: httpx.AsyncClient, account: Account, session: Session, pds: Mapping[str, JSON]
) -> Service | None:
    given = account.credentials.get("video_service") or (PUBLIC_SERVICE if account.base_url is None else "")
    own = text_at(pds, "did")
    service = Service(given.rstrip("/"), _web_did(given)) if given else Service(session.base_url, own)
    limits = await _limits(http, session, service)
    if limits.get("canUpload") is False:
        raise refusals.named(text_at(limits, "error") or "DailyLimitExceeded", text_at(limits, "message"))
    return service if given or limits else None


async def _limits(http: httpx.AsyncClient, session: Session, service: Service) -> Mapping[str, JSON]:
    """What is left of the account's allowance; empty if the service does not tell, or is none."""
    try:
        token = await jobs.service_token(http, session, service.did, LIMITS)
    except PlatformError as exc:
        if exc.fault is Fault.PERMANENT:  # the PDS signs nothing for such an audience
            return {}
        raise
    try:
        answer = await http.get(f"{service.url}/xrpc/{LIMITS}", headers={"Authorization": f"Bearer {token}"})
    except httpx.TransportError as exc:
        raise unreachable(exc) from exc
    found = body(answer) if answer.is_success else {}
    return found if isinstance(found.get("canUpload"), bool) else {}


async def _straight(
    http: httpx.AsyncClient, session: Session, asset: Asset, pds: Mapping[str, JSON]
) -> Mapping[str, JSON]:
    limit = pds.get("blobUploadLimit")
    if isinstance(limit, int) and asset.size_bytes > limit:
        message = f"The video has {asset.size_bytes} bytes; this server takes {limit}."
        raise PlatformError(Fault.PERMANENT, "media_too_large", message)
    return await upload_blob(http, session, asset)


async def _describe(http: httpx.AsyncClient, session: Session) -> Mapping[str, JSON]:
    answer = await repeatable(http.get(f"{session.base_url}/xrpc/com.atproto.server.describeServer"))
    if not answer.is_success:
        raise refusals.refusal(answer)
    found = body(answer)
    return found if text_at(found, "did") else {**found, "did": _web_did(session.base_url)}


def _web_did(url: str) -> str:
    return "did:web:" + urlsplit(url).netloc.replace(":", "%3A")
