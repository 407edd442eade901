"""The sandbox's video service: takes a video, and has it in the PDS a moment later.

The real one re-encodes; this one keeps the bytes, so that tests can compare them.
Source: bluesky-social/atproto lexicons/app/bsky/video/*.json.
"""

import secrets
import time
from collections.abc import Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.platforms.bluesky.jobs import COMPLETED, FAILED, STATUS, UPLOAD_BLOB
from services.platforms.bluesky.lexicon import VIDEO_MAX_BYTES
from services.platforms.bluesky.sandbox_accounts import Accounts, refused
from services.platforms.bluesky.sandbox_blobs import Arrived, Blobs
from services.platforms.bluesky.video import LIMITS, UPLOAD
from services.platforms.calls import text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.store import Store

VIDEO_TYPE = "video/mp4"
MAX_DURATION_S = 600.0  # the official app's; the service tells no number
STATES = (
    "JOB_STATE_CREATED", "JOB_STATE_ENCODING", "JOB_STATE_ENCODED", "JOB_STATE_SCANNING", "JOB_STATE_SCANNED",
    "JOB_STATE_UPLOADING", "JOB_STATE_UPLOADED", COMPLETED,
)  # fmt: skip
STATE_LASTS_S = 0.15  # some poll sees most of them, and nobody waits long


def state_after(age_s: float) -> tuple[str, int]:
    """A job's state and its progress in percent."""
    step = min(int(age_s / STATE_LASTS_S), len(STATES) - 1)
    return STATES[step], 100 * step // (len(STATES) - 1)


class VideoService:
    """uploadVideo, getJobStatus, getUploadLimits."""

    def __init__(self, store: Store, accounts: Accounts, blobs: Blobs) -> None:
        self._store = store
        self._accounts = accounts
        self._blobs = blobs

    def routes(self) -> list[Route]:
        """Below the sandbox's root."""
        return [
            Route(f"/xrpc/{UPLOAD}", self._upload, methods=["POST"]),
            Route(f"/xrpc/{STATUS}", self._status),
            Route(f"/xrpc/{LIMITS}", self._limits),
        ]

    async def _limits(self, request: Request) -> Response:
        await self._accounts.authorize_service(request, LIMITS)
        return JSONResponse({"canUpload": True})

    async def _upload(self, request: Request) -> Response:
        owner = await self._accounts.authorize_service(request, UPLOAD_BLOB)
        if request.query_params.get("did") != owner.did:
            raise refused(401, "AuthenticationRequired", "did does not match the token")
        size = int(request.headers.get("content-length", "0"))
        if size > VIDEO_MAX_BYTES:
            message = f"file size ({size} bytes) is larger than the maximum allowed size ({VIDEO_MAX_BYTES} bytes)"
            raise refused(400, "InvalidRequest", message)
        arrived = await self._blobs.receive(request, VIDEO_MAX_BYTES)
        job_id = await self.job_of(owner.did, arrived)
        status = await self.job_status(job_id)
        if status["state"] == COMPLETED:
            known_already: dict[str, JSON] = {"error": "already_exists", "message": "Video already processed"}
            return JSONResponse({**status, **known_already}, 409)
        return JSONResponse({"jobStatus": status})

    async def job_of(self, did: str, arrived: Arrived) -> str:
        """The id of the job for these bytes: of an earlier one that has not failed, or else of a new one."""
        same = f"{did}/{arrived.file.sha256}"
        if (known := await self._store.get("video", same)) is not None:
            job_id = text_at(known, "jobId")
            if (await self.job_status(job_id))["state"] != FAILED:
                return job_id
        job_id = secrets.token_hex(11)
        job: dict[str, JSON] = {
            "jobId": job_id,
            "did": did,
            "since": time.time(),
            "why": _unfit(arrived),
            "blob": dict(await self._blobs.track(did, arrived, "application/octet-stream")),
        }
        await self._store.add("job", job_id, job)
        if not await self._store.add("video", same, {"jobId": job_id}):
            await self._store.update("video", same, lambda _: {"jobId": job_id})
        return job_id

    async def _status(self, request: Request) -> Response:
        return JSONResponse({"jobStatus": await self.job_status(request.query_params.get("jobId", ""))})

    async def job_status(self, job_id: str) -> dict[str, JSON]:
        """How far it is. Raises RefusedError."""
        job = await self._store.get("job", job_id)
        if job is None:
            raise refused(400, "InvalidRequest", "job not found")
        state, progress = state_after(time.time() - cast(float, job["since"]))
        found: dict[str, JSON] = {"jobId": job_id, "did": job["did"], "state": state, "progress": progress}
        if state == COMPLETED:
            found |= {"blob": job["blob"]}
        if job["why"] and state not in STATES[:2]:
            why = cast(Mapping[str, JSON], job["why"])
            return {"jobId": job_id, "did": job["did"], "state": FAILED, "failureCode": "validation_failure", **why}
        return found


def _unfit(arrived: Arrived) -> dict[str, JSON]:
    if arrived.facts.content_type != VIDEO_TYPE:
        return {"error": "UnsupportedContentType", "message": "The file is not an MP4 video."}
    if arrived.facts.duration_s > MAX_DURATION_S:
        return {"error": "VideoTooLong", "message": f"The video is longer than {MAX_DURATION_S:.0f} seconds."}
    return {}
