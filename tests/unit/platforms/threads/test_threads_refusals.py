"""What Threads' answers, and the status of its containers, mean."""

import httpx
import pytest

from services.platforms.graph import refusal
from services.platforms.ports import Fault
from services.platforms.threads.publish import SERVICE
from services.platforms.threads.refusals import failed


@pytest.mark.parametrize(
    ("code", "message", "fault", "meant"),
    [
        (100, "THREADS_API__LINK_LIMIT_EXCEEDED", Fault.PERMANENT, "too_many_links"),
        (100, "Invalid parameter", Fault.PERMANENT, "post_refused"),
        (9, "", Fault.QUOTA, "daily_limit"),
        (24, "Media Not Found", Fault.REBUILD, "container_lost"),
    ],
)
def test_of_its_own(code: int, message: str, fault: Fault, meant: str) -> None:
    found = refusal(SERVICE, httpx.Response(400, json={"error": {"message": message, "code": code}}))
    assert (found.fault, found.code) == (fault, meant)
    assert found.message


@pytest.mark.parametrize(
    ("reason", "fault", "code"),
    [
        ("FAILED_DOWNLOADING_VIDEO", Fault.REBUILD, "media_unreachable"),
        ("FAILED_PROCESSING_VIDEO", Fault.REBUILD, "upload_failed"),
        ("UNKNOWN", Fault.REBUILD, "upload_failed"),
        ("", Fault.REBUILD, "upload_failed"),
        ("FAILED_PROCESSING_AUDIO", Fault.PERMANENT, "audio_refused"),
        ("INVALID_ASPEC_RATIO", Fault.PERMANENT, "aspect_unsupported"),
        ("INVALID_DURATION", Fault.PERMANENT, "duration_unsupported"),
        ("SOMETHING_NEW", Fault.PERMANENT, "media_refused"),
    ],
)
def test_a_container_that_failed(reason: str, fault: Fault, code: str) -> None:
    found = failed(reason)
    assert (found.fault, found.code) == (fault, code)
    assert found.message
