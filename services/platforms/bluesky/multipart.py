"""Videos on their way to the video service in parts, so that one that breaks off goes on where it was.

Which parts the service has is saved after each of them. They are read from the file once, and never held as a whole.
Source: bluesky-social/atproto lexicons/app/bsky/video/{startUpload,uploadPart,finishUpload,abortUpload}.json.
"""

import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from services.platforms import catalog
from services.platforms.bluesky import jobs, refusals
from services.platforms.bluesky.jobs import Job
from services.platforms.bluesky.session import Session
from services.platforms.calls import InTurn, answered_without, body, number_at, retry_after_s, text_at, unreachable
from services.platforms.ports import JSON, Asset, Fault, PlatformError, Progress

log = logging.getLogger("publisher.bluesky")

STEP = "multipart"
START, PART, FINISH, ABORT = (
    f"app.bsky.video.{name}" for name in ("startUpload", "uploadPart", "finishUpload", "abortUpload")
)
TOKEN_SERVES_S = jobs.TOKEN_LASTS_S / 2  # then the next part is sent with a new one

_ABSENT = (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.NOT_IMPLEMENTED)
# Of startUpload only, which then leaves nothing behind. InvalidRequest: so a PDS refuses methods nobody serves.
_NOT_IN_PARTS = frozenset(
    {"MethodNotImplemented", "XRPCNotSupported", "InvalidRequest", "TooManyOpenUploads", "ServiceOverloaded"}
)


@dataclass(frozen=True, slots=True)
class Upload:
    """One that was begun. service: its URL.   count: of the parts.   sent: the first so many are there."""

    service: str
    job_id: str
    part_bytes: int
    count: int
    sent: int = 0

    def to_json(self) -> dict[str, JSON]:
        """What is saved."""
        return {
            "service": self.service, "jobId": self.job_id, "partBytes": self.part_bytes, "count": self.count,
            "sent": self.sent,
        }  # fmt: skip


def is_worth_it(asset: Asset) -> bool:
    """Whether the video is large enough."""
    known = catalog.load()[Path(__file__).parent.name].multipart
    return known is not None and asset.size_bytes >= known.min_bytes


def begun(saved: Mapping[str, JSON] | None) -> Upload | None:
    """What an earlier call brought on its way, by what it saved."""
    if saved is None:
        return None
    part_bytes, count, sent = (int(number_at(saved, name) or 0) for name in ("partBytes", "count", "sent"))
    return Upload(text_at(saved, "service"), text_at(saved, "jobId"), part_bytes, count, sent)


class Service:
    """Calls of a video service for the account, in whose name the PDS `audience` signs."""

    def __init__(self, http: httpx.AsyncClient, session: Session, *, audience: str) -> None:
        self.http = http
        self._session = session
        self._audience = audience
        self._token = ""
        self._token_until = 0.0

    async def post(self, service_url: str, method: str, *, json: JSON) -> httpx.Response:
        """One call, whatever is answered. Raises PlatformError if nothing is."""
        headers = await self.authorized()
        return await _answered(self.http.post(f"{service_url}/xrpc/{method}", headers=headers, json=json))

    async def abort(self, upload: Upload) -> str:
        """Gives back what a begun upload holds of the account's allowance, at once. Returns the upload's state.

        Raises PlatformError: it is gone, or being finished.
        """
        answer = await self.post(upload.service, ABORT, json={"jobId": upload.job_id})
        _raise_for(answer)
        return text_at(body(answer), "state")

    async def authorized(self) -> dict[str, str]:
        """The header, with a token that is fresh enough."""
        if time.monotonic() >= self._token_until:
            self._token = await jobs.service_token(self.http, self._session, self._audience, jobs.UPLOAD_BLOB)
            self._token_until = time.monotonic() + TOKEN_SERVES_S
        return {"Authorization": f"Bearer {self._token}"}

    def forget_token(self) -> None:
        """The next call takes a new one."""
        self._token_until = 0.0


class Sender:
    """Brings one video to a service, which brings it into the PDS."""

    def __init__(self, service: Service, asset: Asset, progress: Progress) -> None:
        self._service = service
        self._asset = asset
        self._progress = progress

    async def begin(self, service_url: str) -> Upload | None:
        """A new upload; None if the service takes none in parts, or not now. Raises PlatformError."""
        asset = self._asset
        wanted: dict[str, JSON] = {"sizeBytes": asset.size_bytes, "mimeType": asset.content_type, "name": "video.mp4"}
        if asset.width > 0 and asset.height > 0:
            wanted |= {"width": asset.width, "height": asset.height}
        if asset.duration_s is not None:
            wanted["durationMs"] = int(asset.duration_s * 1_000)
        answer = await self._service.post(service_url, START, json=wanted)
        if _is_absent(answer) or text_at(body(answer), "error") in _NOT_IN_PARTS:
            return None
        _raise_for(answer)
        found = body(answer)
        part_bytes, count = (int(number_at(found, name) or 0) for name in ("partSizeBytes", "partCount"))
        upload = Upload(service_url, text_at(found, "jobId"), part_bytes, count)
        if not upload.job_id or part_bytes < 1 or count != -(-asset.size_bytes // part_bytes):
            await self._gave_up(upload)
            return None  # nobody can follow such a plan
        try:
            await self._progress.save(STEP, upload.to_json())
        except Exception:
            await self._gave_up(upload)  # nobody else knows of it
            raise
        return upload

    async def send(self, upload: Upload) -> Job:
        """The parts that are missing, and the job they become. Raises PlatformError: REBUILD if the upload is gone."""
        source = InTurn(self._asset.read(), upload.sent * upload.part_bytes)
        try:
            while upload.sent < upload.count:
                await self._part(upload, source)
                upload = replace(upload, sent=upload.sent + 1)
                await self._progress.save(STEP, upload.to_json())
        finally:
            await source.close()
        return await self._finish(upload)

    async def _gave_up(self, upload: Upload) -> None:
        if not upload.job_id:
            return
        try:
            await self._service.abort(upload)
        except PlatformError as exc:
            log.warning("an upload in parts is left to its end", extra={"code": exc.code})

    async def _part(self, upload: Upload, source: InTurn) -> None:
        length = min(upload.part_bytes, self._asset.size_bytes - upload.sent * upload.part_bytes)
        headers = {
            **await self._service.authorized(),
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
        }
        query = {"jobId": upload.job_id, "partNumber": str(upload.sent + 1)}
        url, piece = f"{upload.service}/xrpc/{PART}", source.next(length)
        answer = await _answered(self._service.http.post(url, params=query, headers=headers, content=piece))
        _raise_for(answer)
        if number_at(body(answer), "sizeBytes") != length:
            raise answered_without("The video service", "the part that was sent")

    async def _finish(self, upload: Upload) -> Job:
        # The service keeps this token for what it sends to the PDS later.
        self._service.forget_token()
        answer = await self._service.post(upload.service, FINISH, json={"jobId": upload.job_id})
        _raise_for(answer)
        job = jobs.read(answer)
        # Of a video it knows already, the job is the earlier one.
        job_id = text_at(body(answer), "completedJobId") or job.job_id
        if not job_id and job.blob is None:
            raise answered_without("The video service", "a job")
        return replace(job, job_id=job_id)


async def _answered(call: Awaitable[httpx.Response]) -> httpx.Response:
    try:
        return await call
    except httpx.TransportError as exc:
        raise unreachable(exc) from exc


def _is_absent(answer: httpx.Response) -> bool:
    """Whether the service has no such method."""
    return answer.status_code in _ABSENT


def _raise_for(answer: httpx.Response) -> None:
    """Raises PlatformError unless it is a success."""
    if answer.is_success:
        return
    if _is_absent(answer):
        raise PlatformError(Fault.REBUILD, "upload_lost", "The video service takes no parts any more.")
    if answer.is_server_error:
        message = f"The video service answered {answer.status_code}."
        raise PlatformError(Fault.TRANSIENT, "upstream_unavailable", message, retry_after_s=retry_after_s(answer))
    raise refusals.refusal(answer)
