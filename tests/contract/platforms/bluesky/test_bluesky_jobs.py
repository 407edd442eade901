"""What the video service says of its jobs, in the lexicon's shape and in the documentation's."""

import pytest

from services.platforms.bluesky.jobs import STATUS
from services.platforms.bluesky.video import UPLOAD
from services.platforms.ports import JSON, Fault, PlatformError
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.network import VIDEO, Network
from tests.contract.platforms.samples import Steps, asset, draft

BLOB: dict[str, JSON] = {
    "$type": "blob",
    "ref": {"$link": "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    "mimeType": "video/mp4",
    "size": 100,
}
BEGUN: dict[str, JSON] = {"service": VIDEO, "jobId": "a"}
WANTED = draft("", asset(samples.film()))

pytestmark = pytest.mark.parametrize("is_nested", [True, False], ids=["lexicon", "documentation"])


def _shaped(is_nested: bool, **fields: JSON) -> JSON:
    job: dict[str, JSON] = {"jobId": "a", "did": "did:plc:a", **fields}
    return {"jobStatus": job} if is_nested else job


@pytest.mark.parametrize("state", ["JOB_STATE_CREATED", "JOB_STATE_SCANNING", "JOB_STATE_OF_LATER_YEARS", ""])
async def test_any_state_but_two_is_a_step_on_the_way(network: Network, is_nested: bool, state: str) -> None:
    network.answer(STATUS, 200, _shaped(is_nested, state=state, progress=40))
    with pytest.raises(PlatformError) as caught:
        await network.prepare(WANTED, Steps({"video": BEGUN}))
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "video_processing")


@pytest.mark.parametrize(
    "told",
    [{"state": "JOB_STATE_COMPLETED"}, {"state": "JOB_STATE_FAILED", "error": "already_exists"}, {"state": ""}],
    ids=["completed", "exists", "no state"],
)
async def test_a_blob_is_all_that_is_waited_for(network: Network, is_nested: bool, told: dict[str, JSON]) -> None:
    steps = Steps({"video": BEGUN})
    network.answer(STATUS, 200, _shaped(is_nested, blob=BLOB, **told))
    assert (await network.prepare(WANTED, steps))["blobs"] == [BLOB]
    assert steps.kept["video"] == {**BEGUN, "blob": BLOB}


@pytest.mark.parametrize(
    ("told", "fault", "code"),
    [
        ({"failureCode": "validation_failure", "error": "x"}, Fault.PERMANENT, "validation_failure"),
        ({"failureCode": "encoding_failure"}, Fault.PERMANENT, "encoding_failure"),
        ({"failureCode": "pds_upload_unsupported_blob_size"}, Fault.PERMANENT, "pds_upload_unsupported_blob_size"),
        ({"failureCode": "pds_upload_failure"}, Fault.REBUILD, "pds_upload_failure"),
        ({"error": "generic_failure"}, Fault.REBUILD, "generic_failure"),
        ({}, Fault.REBUILD, "generic_failure"),
    ],
    ids=["invalid", "not encoded", "too large", "not stored", "by error", "no reason"],
)
async def test_a_job_that_failed(
    network: Network, is_nested: bool, told: dict[str, JSON], fault: Fault, code: str
) -> None:
    network.answer(STATUS, 200, _shaped(is_nested, state="JOB_STATE_FAILED", **told))
    error = await network.fails(WANTED, Steps({"video": BEGUN}))
    assert (error.fault, error.code) == (fault, code)


async def test_an_upload_is_answered_by_its_job(network: Network, is_nested: bool) -> None:
    steps = Steps()
    network.answer(UPLOAD, 200, _shaped(is_nested, state="JOB_STATE_CREATED"))
    with pytest.raises(PlatformError):
        await network.prepare(WANTED, steps)
    assert steps.kept["video"] == BEGUN


async def test_a_video_that_was_there_is_answered_as_an_error(network: Network, is_nested: bool) -> None:
    network.answer(UPLOAD, 409, _shaped(is_nested, error="already_exists", blob=BLOB))
    assert (await network.prepare(WANTED, Steps()))["blobs"] == [BLOB]
