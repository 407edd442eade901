"""What Instagram's answers, and the status of its containers, mean."""

import httpx
import pytest

from services.platforms.graph import refusal
from services.platforms.instagram.publish import SERVICE
from services.platforms.instagram.refusals import failed
from services.platforms.ports import Fault


@pytest.mark.parametrize(
    ("code", "subcode", "fault", "meant"),
    [
        (-1, 2207001, Fault.TRANSIENT, "upstream_busy"),
        (-1, 2207032, Fault.REBUILD, "container_failed"),
        (-1, 2207053, Fault.REBUILD, "upload_failed"),
        (-2, 2207003, Fault.TRANSIENT, "media_unreachable"),
        (-2, 2207020, Fault.REBUILD, "container_expired"),
        (1, 2207057, Fault.PERMANENT, "cover_offset_invalid"),
        (4, 2207051, Fault.QUOTA, "held_for_spam"),
        (9, 2207042, Fault.QUOTA, "daily_limit"),
        (24, 2207006, Fault.REBUILD, "container_lost"),
        (25, 2207050, Fault.ACCOUNT, "account_restricted"),
        (100, 2207028, Fault.PERMANENT, "carousel_refused"),
        (352, 2207026, Fault.PERMANENT, "video_refused"),
        (9004, 2207052, Fault.TRANSIENT, "media_unreachable"),
        (9007, 2207027, Fault.NOT_READY, "media_processing"),
        (36000, 2207004, Fault.PERMANENT, "media_too_large"),
        (36001, 2207005, Fault.PERMANENT, "media_type_unsupported"),
        (36003, 2207009, Fault.PERMANENT, "aspect_unsupported"),
        (36004, 2207010, Fault.PERMANENT, "text_too_long"),
    ],
)
def test_by_subcode(code: int, subcode: int, fault: Fault, meant: str) -> None:
    answer = httpx.Response(400, json={"error": {"message": "Said so.", "code": code, "error_subcode": subcode}})
    found = refusal(SERVICE, answer)
    assert (found.fault, found.code, found.message) == (fault, meant, "Said so.")


@pytest.mark.parametrize(
    ("status", "fault", "code"),
    [
        ("Error: Media upload has failed with error code 2207026", Fault.PERMANENT, "video_refused"),
        ("Error: 2207003", Fault.REBUILD, "media_unreachable"),
        ("Error: 2207050", Fault.ACCOUNT, "account_restricted"),
        ("Error: 2207999", Fault.REBUILD, "upload_failed"),
        ("", Fault.REBUILD, "upload_failed"),
    ],
)
def test_a_container_that_failed(status: str, fault: Fault, code: str) -> None:
    found = failed(status)
    assert (found.fault, found.code) == (fault, code)
    assert found.message
