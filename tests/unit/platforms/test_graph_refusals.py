"""What the answers of any Graph API mean."""

import httpx
import pytest

from services.platforms.graph import Service, refusal
from services.platforms.ports import JSON, Fault

SERVICE = Service("Paper", "https://graph.example", "/v1", "paper_refresh", "id", lambda code, subcode, message: None)


@pytest.mark.parametrize(
    ("status", "error", "fault", "code"),
    [
        (400, {"code": 190}, Fault.ACCOUNT, "credentials_refused"),
        (401, {}, Fault.ACCOUNT, "credentials_refused"),
        (403, {"code": 10}, Fault.ACCOUNT, "not_permitted"),
        (403, {"code": 200}, Fault.ACCOUNT, "not_permitted"),
        (403, {"code": 299}, Fault.ACCOUNT, "not_permitted"),
        (400, {"code": 300}, Fault.PERMANENT, "post_refused"),
        (400, {"code": 4}, Fault.TRANSIENT, "rate_limited"),
        (400, {"code": 613}, Fault.TRANSIENT, "rate_limited"),
        (429, {}, Fault.TRANSIENT, "rate_limited"),
        (400, {"code": 2}, Fault.TRANSIENT, "upstream_busy"),
        (400, {"code": 100}, Fault.PERMANENT, "post_refused"),
        (400, {"code": 100, "is_transient": True}, Fault.TRANSIENT, "upstream_busy"),
        (400, {"code": "190"}, Fault.PERMANENT, "post_refused"),
    ],
)
def test_by_code_or_status(status: int, error: dict[str, JSON], fault: Fault, code: str) -> None:
    found = refusal(SERVICE, httpx.Response(status, json={"error": error}))
    assert (found.fault, found.code) == (fault, code)


def test_what_is_meant_for_people_is_told() -> None:
    error = {"message": "(#100) Param", "error_user_msg": "The picture is too dark. " * 20}
    found = refusal(SERVICE, httpx.Response(400, json={"error": error}))
    assert found.message.startswith("The picture")
    assert len(found.message) == 300


def test_an_answer_nobody_can_read_is_a_refusal() -> None:
    found = refusal(SERVICE, httpx.Response(400, text="<html>"))
    assert (found.fault, found.message) == (Fault.PERMANENT, "Paper gave no reason.")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"x-business-use-case-usage": '{"1": [{"type": "pages", "estimated_time_to_regain_access": 0}]}'}, None),
        (
            {
                "x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 2}], '
                '"2": [{"call_count": 3}, {"estimated_time_to_regain_access": 19}]}'
            },
            19 * 60,
        ),
        (
            {"retry-after": "7", "x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 2}]}'},
            7,
        ),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": Infinity}]}'}, 86_400),
        ({"x-business-use-case-usage": "soon"}, None),
        ({"x-business-use-case-usage": '[1, {"1": 2}]'}, None),
        ({"x-business-use-case-usage": '{"1": 2, "3": ["x"]}'}, None),
    ],
)
def test_the_wait_meta_estimates_is_kept(headers: dict[str, str], wait_s: float | None) -> None:
    found = refusal(SERVICE, httpx.Response(400, json={"error": {"code": 32}}, headers=headers))
    assert (found.code, found.retry_after_s) == ("rate_limited", wait_s)
