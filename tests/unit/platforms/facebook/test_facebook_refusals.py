"""What Facebook's answers mean."""

import httpx
import pytest

from services.platforms.facebook.pages import SERVICE
from services.platforms.facebook.refusals import failed, of_store
from services.platforms.graph import refusal
from services.platforms.ports import Fault


@pytest.mark.parametrize(
    ("status", "code", "subcode", "fault", "meant"),
    [
        (400, 100, 0, Fault.PERMANENT, "post_refused"),
        (400, 100, 33, Fault.REBUILD, "upload_lost"),
        (400, 506, 0, Fault.PERMANENT, "duplicate_post"),
        (400, 100, 1366051, Fault.PERMANENT, "duplicate_post"),
        (400, 324, 1366046, Fault.PERMANENT, "media_too_large"),
        (400, 100, 1346003, Fault.PERMANENT, "policy_refused"),
        (400, 100, 1404102, Fault.PERMANENT, "policy_refused"),
        (400, 368, 0, Fault.QUOTA, "held_for_spam"),
        (400, 9, 0, Fault.QUOTA, "daily_limit"),
        (403, 200, 0, Fault.ACCOUNT, "not_permitted"),
        (401, 190, 463, Fault.ACCOUNT, "credentials_refused"),
        (403, 4, 0, Fault.TRANSIENT, "rate_limited"),
        (400, 32, 0, Fault.TRANSIENT, "rate_limited"),
        (400, 100, 1390008, Fault.TRANSIENT, "rate_limited"),
        (400, 2, 0, Fault.TRANSIENT, "upstream_busy"),
        (400, 100, 1363047, Fault.TRANSIENT, "upstream_busy"),
        (400, 100, 1609010, Fault.TRANSIENT, "upstream_busy"),
        (400, 6000, 1363030, Fault.TRANSIENT, "upstream_busy"),
        (400, 6000, 1363037, Fault.TRANSIENT, "upload_offset_wrong"),
        (400, 6000, 1363041, Fault.REBUILD, "upload_lost"),
        (429, 0, 0, Fault.TRANSIENT, "rate_limited"),
    ],
)
def test_by_code_or_status(status: int, code: int, subcode: int, fault: Fault, meant: str) -> None:
    error = {"message": "No.", "code": code, "error_subcode": subcode}
    found = refusal(SERVICE, httpx.Response(status, json={"error": error}))
    assert (found.fault, found.code) == (fault, meant)


@pytest.mark.parametrize(
    ("status", "answer", "fault", "meant"),
    [
        (400, {"debug_info": {"type": "OffsetInvalidError"}}, Fault.TRANSIENT, "upload_offset_wrong"),
        (400, {"debug_info": {"type": "PartialRequestError"}}, Fault.TRANSIENT, "upload_broken"),
        (400, {"debug_info": {"type": "ProcessingFailedError"}}, Fault.REBUILD, "upload_lost"),
        (401, {"error": {"code": 190}}, Fault.ACCOUNT, "credentials_refused"),
        (429, {}, Fault.TRANSIENT, "rate_limited"),
    ],
)
def test_of_the_store(status: int, answer: dict[str, object], fault: Fault, meant: str) -> None:
    found = of_store(SERVICE, httpx.Response(status, json=answer))
    assert (found.fault, found.code) == (fault, meant)


@pytest.mark.parametrize(
    ("word", "fault", "meant"),
    [
        ("expired", Fault.REBUILD, "upload_lost"),
        ("upload_failed", Fault.REBUILD, "upload_lost"),
        ("error", Fault.PERMANENT, "media_refused"),
    ],
)
def test_why_nothing_comes_of_a_video(word: str, fault: Fault, meant: str) -> None:
    found = failed(word, "The codec is not supported.")
    assert (found.fault, found.code) == (fault, meant)
