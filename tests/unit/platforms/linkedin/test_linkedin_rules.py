"""What LinkedIn would refuse, how it writes texts, and what its answers mean."""

from datetime import UTC, datetime

import httpx
import pytest

from services.platforms.linkedin.publish import PUBLISHER
from services.platforms.linkedin.refusals import refusal, until_midnight_s
from services.platforms.linkedin.text import little, seen
from services.platforms.ports import JSON, Fault
from tests.unit.platforms.drafts import draft, rules

JPEG, WEBP, PNG, MP4 = "image/jpeg", "image/webp", "image/png", "video/mp4"


@pytest.mark.parametrize(("text", "content_types"), [("a" * 3_000, ()), ("", (JPEG, PNG) * 10), ("", (MP4,))])
def test_what_linkedin_takes_is_no_problem(text: str, content_types: tuple[str, ...]) -> None:
    assert rules(PUBLISHER, draft(text, *content_types, options={"visibility": "connections"})) == []


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (draft("a" * 3_001), ("text", "text_too_long")),
        (draft(" "), ("text", "post_empty")),
        (draft("x", *(JPEG,) * 21), ("media", "too_many_images")),
        (draft("x", MP4, MP4), ("media", "too_many_videos")),
        (draft("x", MP4, JPEG), ("media", "media_mixed")),
        (draft("x", JPEG, WEBP), ("media[1]", "media_type_unsupported")),
    ],
)
def test_rules(wanted: object, problem: tuple[str, str]) -> None:
    assert rules(PUBLISHER, wanted) == [problem]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("visibility", "friends", "option_invalid"),
        ("title", "", "option_invalid"),
        ("title", "x", "option_conflict"),
        ("colour", "red", "option_unknown"),
    ],
)
def test_options(name: str, value: JSON, rule: str) -> None:
    assert rules(PUBLISHER, draft("x", JPEG, options={name: value})) == [(f"options.{name}", rule)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("(a) b_c", r"\(a\) b\_c"),
        ("#one and #two_three!", r"{hashtag|\#|one} and {hashtag|\#|two\_three}!"),
        ("a#b C# #", r"a\#b C\# \#"),
        ("\\", "\\\\"),
    ],
)
def test_little_text(text: str, wanted: str) -> None:
    assert (little(text), seen(wanted)) == (wanted, text)


@pytest.mark.parametrize(
    ("status", "code", "fault", "meant"),
    [
        (400, "INVALID_REQUEST", Fault.PERMANENT, "post_refused"),
        (400, "MEDIA_ASSET_PROCESSING_FAILED", Fault.REBUILD, "media_processing_failed"),
        (400, "MEDIA_ASSET_WAITING_UPLOAD", Fault.REBUILD, "upload_lost"),
        (400, "VERSION_MISSING", Fault.TRANSIENT, "version_retired"),
        (401, "", Fault.ACCOUNT, "credentials_refused"),
        (403, "", Fault.ACCOUNT, "not_permitted"),
        (404, "", Fault.REBUILD, "upload_lost"),
        (408, "", Fault.TRANSIENT, "upstream_busy"),
        (409, "", Fault.TRANSIENT, "upstream_busy"),
        (413, "", Fault.PERMANENT, "media_too_large"),
        (422, "DUPLICATE_POST", Fault.PERMANENT, "duplicate_post"),
        (422, "", Fault.PERMANENT, "post_refused"),
        (426, "NONEXISTENT_VERSION", Fault.TRANSIENT, "version_retired"),
        (429, "", Fault.QUOTA, "daily_limit"),
    ],
)
def test_refusals(status: int, code: str, fault: Fault, meant: str) -> None:
    found = refusal(httpx.Response(status, json={"code": code, "status": status}))
    assert (found.fault, found.code) == (fault, meant)


@pytest.mark.parametrize(
    ("codes", "meant"),
    [(["DUPLICATE_POST"], "duplicate_post"), (["FIELD_INVALID", "MEDIA_ASSET_WAITING_UPLOAD"], "upload_lost"),
     (["FIELD_INVALID"], "post_refused"), ([], "post_refused")],
)  # fmt: skip
def test_what_is_wrong_with_a_post_has_its_code_further_inside(codes: list[str], meant: str) -> None:
    inputs = [{"description": "It is.", "input": {}, "code": code} for code in codes]
    said = {"message": "Content is", "errorDetails": {"inputErrors": inputs}, "status": 422}
    found = refusal(httpx.Response(422, json=said))
    assert (found.code, found.message) == (meant, "Content is")


def test_allowances_begin_anew_at_midnight_unless_the_answer_says_when() -> None:
    assert until_midnight_s(datetime(2026, 11, 25, 23, 59, 30, tzinfo=UTC)) == 30.0
    assert refusal(httpx.Response(429, headers={"retry-after": "7"})).retry_after_s == 7.0
