"""The sandbox's uploads in parts: of exact sizes, each as often as it comes, until the upload ends.

Source: bluesky-social/atproto lexicons/app/bsky/video/{startUpload,uploadPart,finishUpload,abortUpload}.json.
"""

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.platforms import catalog
from services.platforms.bluesky.jobs import UPLOAD_BLOB
from services.platforms.bluesky.lexicon import VIDEO_MAX_BYTES
from services.platforms.bluesky.multipart import ABORT, FINISH, PART, START
from services.platforms.bluesky.sandbox_accounts import Accounts, Owner, refused
from services.platforms.bluesky.sandbox_blobs import Blobs
from services.platforms.bluesky.sandbox_video import MAX_DURATION_S, VIDEO_TYPE, VideoService
from services.platforms.calls import list_at, number_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.store import Doc, Store
from services.platforms.sandboxing.web import json_body

UPLOADS = "upload"
LASTS_S = 3_600.0  # our choice: the service tells the end of each upload, and no rule


class State(StrEnum):
    """How far an upload is."""

    CREATED = "created"
    FINISHING = "finishing"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    EXPIRED = "expired"


class MultipartService:
    """startUpload, uploadPart, finishUpload, abortUpload; or none of them, as a service that is older than they are."""

    def __init__(self, store: Store, accounts: Accounts, blobs: Blobs, videos: VideoService, *, is_known: bool) -> None:
        self._store = store
        self._accounts = accounts
        self._blobs = blobs
        self._videos = videos
        self._is_known = is_known
        known = catalog.load()[Path(__file__).parent.name].multipart
        assert known is not None, "spec.toml has [multipart]"
        self._part_bytes = known.part_bytes

    def routes(self) -> list[Route]:
        """Below the sandbox's root."""
        methods = {START: self._start, PART: self._part, FINISH: self._finish, ABORT: self._abort}
        return [
            Route(f"/xrpc/{name}", method if self._is_known else _unknown, methods=["POST"])
            for name, method in methods.items()
        ]

    async def _start(self, request: Request) -> Response:
        owner = await self._accounts.authorize_service(request, UPLOAD_BLOB)
        wanted = await _json(request)
        size = wanted.get("sizeBytes")
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise refused(400, "InvalidRequest", "sizeBytes must be a whole number of at least 1")
        if text_at(wanted, "mimeType") != VIDEO_TYPE:
            raise refused(400, "UnsupportedContentType", "The declared MIME type is not supported.")
        if size > VIDEO_MAX_BYTES:
            message = f"file size ({size} bytes) is larger than the maximum allowed size ({VIDEO_MAX_BYTES} bytes)"
            raise refused(400, "VideoTooLarge", message)
        if (number_at(wanted, "durationMs") or 0) > 1_000 * MAX_DURATION_S:
            raise refused(400, "VideoTooLong", f"The video is longer than {MAX_DURATION_S:.0f} seconds.")
        job_id, count, until = secrets.token_hex(11), -(-size // self._part_bytes), time.time() + LASTS_S
        upload: dict[str, JSON] = {
            "jobId": job_id, "did": owner.did, "size": size, "partBytes": self._part_bytes, "count": count,
            "until": until, "state": State.CREATED, "received": [],
        }  # fmt: skip
        await self._store.add(UPLOADS, job_id, upload)
        return JSONResponse(
            {
                "jobId": job_id,
                "partSizeBytes": self._part_bytes,
                "partCount": count,
                "expiresAt": datetime.fromtimestamp(until, UTC).isoformat(),
            }
        )

    async def _part(self, request: Request) -> Response:
        owner = await self._accounts.authorize_service(request, UPLOAD_BLOB)
        upload = await self._open(owner, request.query_params.get("jobId", ""))
        if upload["state"] == State.COMPLETED:
            raise refused(400, "UploadAlreadyCompleted", "The upload has already completed.")
        size, part_bytes, count = (int(number_at(upload, name) or 0) for name in ("size", "partBytes", "count"))
        given = request.query_params.get("partNumber", "")
        if not given.isdigit() or not 1 <= int(given) <= count:
            raise refused(400, "InvalidPartNumber", f"The upload has the parts 1 to {count}.")
        number = int(given)
        expected = min(part_bytes, size - (number - 1) * part_bytes)
        mismatch = refused(400, "PartSizeMismatch", f"Part {number} has {expected} bytes.")
        if request.headers.get("content-length") != str(expected):
            raise mismatch
        job_id = text_at(upload, "jobId")
        if await self._store.keep_part(job_id, number - 1, request.stream()) != expected:
            raise mismatch
        await self._store.update(UPLOADS, job_id, lambda doc: _with_part(doc, number))
        return JSONResponse({"partNumber": number, "sizeBytes": expected})

    async def _finish(self, request: Request) -> Response:
        owner = await self._accounts.authorize_service(request, UPLOAD_BLOB)
        upload = await self._open(owner, text_at(await _json(request), "jobId"))
        job_id = text_at(upload, "jobId")
        if upload["state"] == State.CREATED:
            count = int(number_at(upload, "count") or 0)
            missing = sorted(set(range(1, count + 1)) - {cast(int, it) for it in list_at(upload, "received")})
            if missing:
                raise refused(400, "MissingParts", f"Missing parts: {', '.join(map(str, missing))}")
            await self._change(job_id, state=State.FINISHING)
            file = await self._store.join_parts(job_id, count, VIDEO_MAX_BYTES)
            arrived = await self._blobs.recognised(file)
            if arrived.facts.content_type != VIDEO_TYPE:
                await self._change(job_id, state=State.FAILED)
                raise refused(400, "UnsupportedContentType", "The file is not an MP4 video.")
            completed = await self._videos.job_of(owner.did, arrived)
            upload = await self._change(job_id, state=State.COMPLETED, completedJobId=completed)
        completed = text_at(upload, "completedJobId")
        return JSONResponse({"completedJobId": completed, "jobStatus": await self._videos.job_status(completed)})

    async def _abort(self, request: Request) -> Response:
        """Ends one that is open; of one that has ended it says how."""
        owner = await self._accounts.authorize_service(request, UPLOAD_BLOB)
        upload = await self._known(owner, text_at(await _json(request), "jobId"))
        match upload["state"]:
            case State.FINISHING:
                raise refused(400, "UploadNotReady", "The upload is being finished.")
            case State.CREATED:
                state = State.EXPIRED if _is_over(upload) else State.ABORTED
                upload = await self._change(text_at(upload, "jobId"), state=state)
        told = {"completedJobId": upload["completedJobId"]} if upload["state"] == State.COMPLETED else {}
        return JSONResponse({"state": upload["state"], **told})

    async def _known(self, owner: Owner, job_id: str) -> Doc:
        upload = await self._store.get(UPLOADS, job_id)
        if upload is None or upload["did"] != owner.did:
            raise refused(400, "UploadNotFound", "upload not found")
        return upload

    async def _open(self, owner: Owner, job_id: str) -> Doc:
        """The account's upload, as far as anything can be done about it. Raises RefusedError."""
        upload = await self._known(owner, job_id)
        match upload["state"]:
            case State.ABORTED:
                raise refused(400, "UploadAborted", "The upload was aborted.")
            case State.FAILED:
                raise refused(400, "UploadFailed", "The file is not an MP4 video.")
            case State.FINISHING:
                raise refused(400, "UploadNotReady", "The upload is being finished.")
            case State.EXPIRED:
                raise refused(400, "UploadExpired", "The upload has expired.")
            case State.CREATED if _is_over(upload):
                raise refused(400, "UploadExpired", "The upload has expired.")
        return upload

    async def _change(self, job_id: str, **changes: JSON) -> Doc:
        changed = await self._store.update(UPLOADS, job_id, lambda doc: {**doc, **changes})
        assert changed is not None, "nothing removes uploads"
        return changed


async def _unknown(_: Request) -> Response:
    raise refused(501, "MethodNotImplemented", "Method Not Implemented")


def _is_over(upload: Doc) -> bool:
    return (number_at(upload, "until") or 0) <= time.time()


def _with_part(upload: Doc, number: int) -> Doc:
    received = list_at(upload, "received")
    return {**upload, "received": received if number in received else [*received, number]}


async def _json(request: Request) -> Mapping[str, JSON]:
    return await json_body(request, lambda why: refused(400, "InvalidRequest", why), 10_000)
