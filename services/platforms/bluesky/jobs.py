"""What the video service says of the videos it has, and the tokens it takes.

Source: bluesky-social/atproto lexicons/app/bsky/video/{defs,getJobStatus}.json, docs.bsky.app/docs/tutorials/video.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.platforms.bluesky import refusals
from services.platforms.bluesky.session import Session
from services.platforms.calls import answered_without, at, body, repeatable, text_at
from services.platforms.ports import JSON, Fault, PlatformError

TOKEN_LASTS_S = 1_800  # a PDS signs at most an hour ahead

STATUS = "app.bsky.video.getJobStatus"
UPLOAD_BLOB = "com.atproto.repo.uploadBlob"

COMPLETED, FAILED = "JOB_STATE_COMPLETED", "JOB_STATE_FAILED"


@dataclass(frozen=True, slots=True)
class Job:
    """What the service says of a video. blob: once it is in the PDS."""

    job_id: str
    state: str
    blob: Mapping[str, JSON] | None
    error: str
    message: str


async def status(http: httpx.AsyncClient, service_url: str, job_id: str) -> Job:
    """How far the job is. Raises PlatformError: REBUILD if the service has forgotten it."""
    answer = await repeatable(http.get(f"{service_url}/xrpc/{STATUS}", params={"jobId": job_id}))
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise refusals.refusal(answer)
    if not answer.is_success:
        raise PlatformError(Fault.REBUILD, "video_job_lost", "The video service does not know the upload any more.")
    return read(answer)


async def service_token(http: httpx.AsyncClient, session: Session, audience: str, method: str) -> str:
    """What a service takes as from this account. audience: whose DID it must name. Raises PlatformError."""
    query = {"aud": audience, "lxm": method, "exp": str(int(time.time()) + TOKEN_LASTS_S)}
    answer = await repeatable(
        http.get(f"{session.base_url}/xrpc/com.atproto.server.getServiceAuth", params=query, headers=session.headers)
    )
    if not answer.is_success:
        raise refusals.refusal(answer)
    token = text_at(body(answer), "token")
    if not token:
        raise answered_without("The PDS", "a token")
    return token


def read(answer: httpx.Response) -> Job:
    """The lexicon puts the status under `jobStatus`, the documentation's sample reads it from the top."""
    found = body(answer)
    inner = at(found, "jobStatus")
    status = inner if isinstance(inner, dict) else found
    return Job(
        job_id=text_at(status, "jobId"),
        state=text_at(status, "state"),
        blob=blob(status),
        error=text_at(status, "failureCode") or text_at(status, "error"),
        message=text_at(status, "message"),
    )


def blob(found: Mapping[str, JSON]) -> Mapping[str, JSON] | None:
    """The blob it names, if it does."""
    named = found.get("blob")
    return named if isinstance(named, dict) and text_at(named, "ref", "$link") else None
