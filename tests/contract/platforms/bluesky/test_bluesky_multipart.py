"""Large videos on their way to the network's video service, in parts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import httpx
import pytest

from services.platforms import catalog
from services.platforms.bluesky import jobs
from services.platforms.bluesky.multipart import ABORT, FINISH, PART, START
from services.platforms.bluesky.sandbox_multipart import UPLOADS
from services.platforms.ports import JSON, Fault, PlatformError
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.network import PDS, VIDEO, Network
from tests.contract.platforms.samples import Reading, Steps, asset, draft, mislabelled

SINGLE = "app.bsky.video.uploadVideo"
MULTIPART = catalog.load()["bluesky"].multipart
assert MULTIPART is not None
PART_BYTES, MIN_BYTES = MULTIPART.part_bytes, MULTIPART.min_bytes
SIZE = 2 * PART_BYTES + 54_321


@pytest.fixture(autouse=True)
def _quick_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its videos are processed at once, since none of this is about that."""
    monkeypatch.setattr("services.platforms.bluesky.sandbox_video.STATE_LASTS_S", 0.01)


@pytest.fixture(scope="module")
def film() -> bytes:
    """Three parts, the last of them short."""
    return samples.padded(samples.film(), SIZE)


def _count(network: Network, method: str) -> int:
    return network.asked.count(f"video.bsky.app {method}")


async def _shown(network: Network) -> bytes:
    (post,) = (await network.http.get(f"{PDS}/_sandbox/posts")).json()["posts"]
    return (await network.http.get(f"{PDS}/_sandbox/files/{post['media'][0]['sha256']}")).content


async def _order(network: Network, method: str, mode: str) -> None:
    fault = {"path": f"/xrpc/{method}", "mode": mode}
    assert (await network.http.post(f"{PDS}/_sandbox/faults", json=fault)).status_code == 201


async def test_a_large_video_goes_in_parts_and_is_read_once(network: Network, film: bytes) -> None:
    medium = asset(film)
    await network.published(draft("a long film", medium))
    assert (_count(network, START), _count(network, PART), _count(network, FINISH)) == (1, 3, 1)
    assert _count(network, SINGLE) == 0
    assert cast(Reading, medium.read).opened == 1
    assert await _shown(network) == film


@pytest.mark.parametrize(("size", "starts"), [(MIN_BYTES - 1, 0), (MIN_BYTES, 1)])
async def test_parts_begin_at_a_size(network: Network, size: int, starts: int) -> None:
    data = samples.padded(samples.film(), size)
    await network.published(draft("", asset(data)))
    assert (_count(network, START), _count(network, SINGLE)) == (starts, 1 - starts)
    assert await _shown(network) == data


@pytest.mark.parametrize("network", [False], indirect=True)
async def test_a_service_without_parts_gets_it_in_one_request(network: Network, film: bytes) -> None:
    steps = Steps()
    await network.published(draft("a long film", asset(film)), steps)
    assert (_count(network, START), _count(network, PART), _count(network, SINGLE)) == (1, 0, 1)
    assert "multipart" not in steps.kept
    assert await _shown(network) == film


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, None),
        (405, None),
        (400, {"error": "InvalidRequest", "message": f"No service configured for {START}"}),
        (400, {"error": "MethodNotImplemented", "message": "Method Not Implemented"}),
        (400, {"error": "TooManyOpenUploads", "message": "too many"}),
        (503, {"error": "ServiceOverloaded", "message": "draining"}),
        (200, {}),
        (200, {"jobId": "a", "partSizeBytes": PART_BYTES, "partCount": 2, "expiresAt": "2026-11-26T00:00:00Z"}),
    ],
    ids=["path", "method", "pds", "name", "too many", "overloaded", "empty", "wrong plan"],
)
async def test_other_ways_not_to_take_parts(network: Network, film: bytes, status: int, said: JSON) -> None:
    network.answer(START, status, said)
    await network.published(draft("", asset(film)))
    assert _count(network, SINGLE) == 1
    assert await _shown(network) == film


@pytest.mark.parametrize(
    ("status", "error", "fault", "code"),
    [
        (400, "DailyLimitExceeded", Fault.QUOTA, "daily_limit_exceeded"),
        (400, "VideoTooLong", Fault.PERMANENT, "video_too_long"),
        (400, "BadAspectRatio", Fault.PERMANENT, "bad_aspect_ratio"),
        (429, "RateLimitExceeded", Fault.TRANSIENT, "rate_limit_exceeded"),
        (502, "", Fault.TRANSIENT, "upstream_unavailable"),
    ],
)
async def test_a_refused_beginning_is_a_refusal(
    network: Network, film: bytes, status: int, error: str, fault: Fault, code: str
) -> None:
    network.answer(START, status, {"error": error, "message": ""})
    refusal = await network.fails(draft("", asset(film)))
    assert (refusal.fault, refusal.code) == (fault, code)
    assert _count(network, SINGLE) == 0


@pytest.mark.parametrize("mode", ["error", "429"])
async def test_an_upload_that_breaks_off_goes_on_where_it_was(network: Network, film: bytes, mode: str) -> None:
    steps, medium = Steps(), asset(film)
    cast(Reading, medium.read).breaks_after = PART_BYTES + samples.PIECE_BYTES
    with pytest.raises(ConnectionError):
        await network.prepare(draft("", medium), steps)
    assert steps.kept["multipart"]["sent"] == 1
    cast(Reading, medium.read).breaks_after = None
    await _order(network, PART, mode)
    refusal = await network.fails(draft("", medium), steps)
    assert refusal.fault is Fault.TRANSIENT
    network.asked.clear()
    await network.published(draft("", medium), steps)
    assert (_count(network, START), _count(network, PART), _count(network, FINISH)) == (0, 2, 1)
    assert _count(network, "app.bsky.video.getUploadLimits") == 0
    assert await _shown(network) == film


@pytest.mark.parametrize("method", [PART, FINISH])
async def test_a_lost_answer_is_asked_for_again(network: Network, film: bytes, method: str) -> None:
    steps = Steps()
    lost: list[httpx.Response] = []

    async def lose(answer: httpx.Response) -> None:
        if answer.request.url.path.endswith(method) and not lost:
            lost.append(answer)
            raise httpx.ReadError("lost")

    network.http.event_hooks["response"] = [lose]
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.TRANSIENT, "upstream_unreachable")
    await network.published(draft("", asset(film)), steps)
    assert (_count(network, START), _count(network, method)) == (1, {PART: 4, FINISH: 2}[method])
    assert await _shown(network) == film


async def test_a_video_the_service_knows_is_that_job(network: Network, film: bytes) -> None:
    first, second = Steps(), Steps()
    await network.published(draft("once", asset(film)), first)
    await network.published(draft("again", asset(film)), second)
    assert first.kept["video"]["jobId"] == second.kept["video"]["jobId"]
    assert first.kept["multipart"]["jobId"] != second.kept["multipart"]["jobId"]


async def test_every_part_and_the_end_carry_a_token_and_the_last_is_new(
    network: Network, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await network.published(draft("", asset(film)))
    tokens = "pds.example.com com.atproto.server.getServiceAuth"
    assert network.asked.count(tokens) == 3  # for the allowance, the parts, and the end
    monkeypatch.setattr("services.platforms.bluesky.multipart.TOKEN_SERVES_S", 0.0)
    network.asked.clear()
    await network.published(draft("", asset(samples.padded(samples.film(), SIZE))))
    assert network.asked.count(tokens) == 6


async def test_an_upload_that_ended_is_begun_anew(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    job_id = str(steps.kept["multipart"]["jobId"])
    await network.state.store.update(UPLOADS, job_id, lambda doc: {**doc, "until": 0.0})
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.REBUILD, "upload_expired")
    await network.published(draft("", asset(film)))
    assert await _shown(network) == film


async def test_an_upload_nobody_knows_is_begun_anew(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    steps.kept["multipart"] = {**steps.kept["multipart"], "jobId": "unknown"}
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.REBUILD, "upload_not_found")


async def test_parts_that_were_never_sent_are_missed(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    steps.kept["multipart"] = {**steps.kept["multipart"], "sent": 3}
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.REBUILD, "missing_parts")
    assert refusal.message.endswith("2, 3")


async def test_a_service_that_no_longer_takes_parts_is_begun_anew(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    network.answer(PART, 501, {"error": "MethodNotImplemented", "message": ""})
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.REBUILD, "upload_lost")


async def _state(network: Network, job_id: object) -> JSON:
    upload = await network.state.store.get(UPLOADS, str(job_id))
    assert upload is not None
    return upload["state"]


async def test_an_upload_that_is_given_up_is_aborted(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    assert await network.publisher.abandon(network.http, network.account, steps.kept) == "an upload in parts is aborted"
    assert await _state(network, steps.kept["multipart"]["jobId"]) == "aborted"
    refusal = await network.fails(draft("", asset(film)), steps)
    assert (refusal.fault, refusal.code) == (Fault.REBUILD, "upload_aborted")
    # Once more changes nothing.
    assert await network.publisher.abandon(network.http, network.account, steps.kept) == "an upload in parts is aborted"


async def test_what_became_a_job_or_never_began_is_left_alone(network: Network, film: bytes) -> None:
    steps = Steps()
    await network.published(draft("", asset(film)), steps)
    nothing: list[dict[str, Mapping[str, JSON]]] = [steps.kept, {}, {"image0": {}}]
    for progress in nothing:
        assert await network.publisher.abandon(network.http, network.account, progress) == ""
    assert _count(network, ABORT) == 0
    # One that had ended when its answer was lost says so.
    lost = {"multipart": steps.kept["multipart"]}
    assert await network.publisher.abandon(network.http, network.account, lost) == "an upload in parts is completed"


async def test_an_upload_the_service_no_longer_has_cannot_be_aborted(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    unknown = {"multipart": {**steps.kept["multipart"], "jobId": "unknown"}}
    with pytest.raises(PlatformError, match="upload_not_found"):
        await network.publisher.abandon(network.http, network.account, unknown)


async def test_an_upload_by_a_plan_nobody_can_follow_is_aborted_before_the_other_way_is_taken(
    network: Network, film: bytes
) -> None:
    plan: JSON = {"jobId": "a", "partSizeBytes": PART_BYTES, "partCount": 2, "expiresAt": "2026-11-26T00:00:00Z"}
    network.answer(START, 200, plan)
    network.answer(ABORT, 200, {"state": "aborted"})
    await network.published(draft("", asset(film)))
    assert (_count(network, ABORT), _count(network, SINGLE)) == (1, 1)
    assert await _shown(network) == film


@pytest.mark.parametrize("is_answered", [True, False])
async def test_an_upload_nobody_could_note_down_is_aborted(network: Network, film: bytes, is_answered: bool) -> None:
    class Lost(Steps):
        async def save(self, step: str, state: Mapping[str, JSON]) -> None:
            if step == "multipart":
                self.kept[step] = state
                raise ConnectionError("another has the target now")

    steps = Lost()
    if not is_answered:
        await _order(network, ABORT, "error")
    with pytest.raises(ConnectionError):
        await network.prepare(draft("", asset(film)), steps)
    expected = "aborted" if is_answered else "created"
    assert await _state(network, steps.kept["multipart"]["jobId"]) == expected


async def test_bytes_that_are_no_video_are_refused_at_the_end(network: Network) -> None:
    steps = Steps()
    wanted = draft("", mislabelled(samples.padded(samples.picture(), SIZE), "video/mp4"))
    refusal = await network.fails(wanted, steps)
    assert (refusal.fault, refusal.code) == (Fault.PERMANENT, "unsupported_content_type")
    assert (await network.fails(wanted, steps)).code == "upload_failed"


async def test_what_the_sandbox_refuses(network: Network, film: bytes) -> None:
    steps = await _begun(network, film)
    job_id = str(steps.kept["multipart"]["jobId"])
    session = await network.publisher._sessions.open(network.http, network.account)
    token = await jobs.service_token(network.http, session, "did:web:localhost", jobs.UPLOAD_BLOB)
    headers = {"Authorization": f"Bearer {token}"}

    async def said(method: str, given: Mapping[str, str] | None, *, json: JSON = None, content: bytes = b"") -> str:
        body = {"json": json} if json is not None else {"content": content}
        answer = await network.http.post(f"{VIDEO}/xrpc/{method}", params=given, headers=headers, **body)
        return str(answer.json().get("error", answer.status_code))

    good: dict[str, JSON] = {"sizeBytes": SIZE, "mimeType": "video/mp4"}
    assert await said(START, None, json={**good, "sizeBytes": 0}) == "InvalidRequest"
    assert await said(START, None, json={**good, "sizeBytes": 300_000_001}) == "VideoTooLarge"
    assert await said(START, None, json={**good, "mimeType": "text/plain"}) == "UnsupportedContentType"
    assert await said(START, None, json={**good, "durationMs": 600_001}) == "VideoTooLong"
    for number in ("0", "4", "x"):
        assert await said(PART, {"jobId": job_id, "partNumber": number}) == "InvalidPartNumber"
    assert await said(PART, {"jobId": job_id, "partNumber": "3"}, content=b"x" * 54_320) == "PartSizeMismatch"
    assert await said(PART, {"jobId": "x", "partNumber": "1"}) == "UploadNotFound"
    # Parts come in any order, and as often as they like.
    for part in (3, 2, 3):
        piece = film[(part - 1) * PART_BYTES : part * PART_BYTES]
        assert await said(PART, {"jobId": job_id, "partNumber": str(part)}, content=piece) == "200"
    assert await said(FINISH, None, json={"jobId": job_id}) == "200"
    assert await said(PART, {"jobId": job_id, "partNumber": "1"}, content=film[:PART_BYTES]) == "UploadAlreadyCompleted"


async def _begun(network: Network, film: bytes) -> Steps:
    """An upload of which the first part is there."""
    steps, medium = Steps(), asset(film)
    medium = replace(medium, read=Reading(film, breaks_after=PART_BYTES + samples.PIECE_BYTES))
    with pytest.raises(ConnectionError):
        await network.prepare(draft("", medium), steps)
    assert steps.kept["multipart"]["sent"] == 1
    return steps
