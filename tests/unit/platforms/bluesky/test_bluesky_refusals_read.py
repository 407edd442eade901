"""What a PDS's errors mean for us."""

import time

import httpx
import pytest

from services.platforms.bluesky.refusals import MAX_MESSAGE_CHARS, named, refusal
from services.platforms.ports import Fault


@pytest.mark.parametrize(
    ("status", "name", "fault", "code"),
    [
        (400, "ExpiredToken", Fault.NOT_READY, "expired_token"),
        (400, "InvalidToken", Fault.ACCOUNT, "invalid_token"),
        (401, "AuthenticationRequired", Fault.ACCOUNT, "authentication_required"),
        (401, "AuthFactorTokenRequired", Fault.ACCOUNT, "auth_factor_token_required"),
        (401, "AccountTakedown", Fault.ACCOUNT, "account_takedown"),
        (403, "AccountNotFound", Fault.ACCOUNT, "account_not_found"),
        (400, "BlobNotFound", Fault.REBUILD, "blob_not_found"),
        (400, "InvalidMimeType", Fault.REBUILD, "invalid_mime_type"),
        (400, "InvalidRequest", Fault.PERMANENT, "invalid_request"),
        (400, "RecordNotFound", Fault.PERMANENT, "record_not_found"),
        (400, "DailyLimitExceeded", Fault.QUOTA, "daily_limit_exceeded"),
        (400, "UploadNotReady", Fault.NOT_READY, "upload_not_ready"),
        (400, "UploadNotFound", Fault.REBUILD, "upload_not_found"),
        (400, "UploadAborted", Fault.REBUILD, "upload_aborted"),
        (400, "UploadAlreadyCompleted", Fault.REBUILD, "upload_already_completed"),
        (400, "UploadForbidden", Fault.PERMANENT, "upload_forbidden"),
        (400, "UpstreamTimeout", Fault.TRANSIENT, "upstream_timeout"),
        (400, "SomethingNew", Fault.PERMANENT, "something_new"),
        (429, "Anything", Fault.TRANSIENT, "rate_limit_exceeded"),
    ],
)
def test_errors_by_name(status: int, name: str, fault: Fault, code: str) -> None:
    error = refusal(httpx.Response(status, json={"error": name, "message": "Why."}))
    assert (error.fault, error.code, error.message, error.retry_after_s) == (fault, code, "Why.", None)


@pytest.mark.parametrize(
    ("status", "content", "fault", "code"),
    [
        (401, b"", Fault.ACCOUNT, "authentication_required"),
        (413, b"<html>too large</html>", Fault.PERMANENT, "payload_too_large"),
        (400, b'["no object"]', Fault.PERMANENT, "invalid_request"),
        (404, b"\xff\xfe", Fault.PERMANENT, "invalid_request"),
        (429, b"slow down", Fault.TRANSIENT, "rate_limit_exceeded"),
    ],
)
def test_answers_that_name_no_error(status: int, content: bytes, fault: Fault, code: str) -> None:
    error = refusal(httpx.Response(status, content=content))
    assert (error.fault, error.code, error.message) == (fault, code, "Bluesky gave no reason.")


@pytest.mark.parametrize(
    ("message", "fault", "code"),
    [
        ("User has exceeded daily upload bytes limit", Fault.QUOTA, "daily_video_limit"),
        ("User has exceeded daily upload videos limit", Fault.QUOTA, "daily_video_limit"),
        ("Confirm your email address to upload videos", Fault.PERMANENT, "email_unconfirmed"),
        ("Account is not old enough to upload videos", Fault.PERMANENT, "account_too_new"),
    ],
)
def test_what_the_video_service_tells_by_sentence_only(message: str, fault: Fault, code: str) -> None:
    error = named("unauthorized", message)
    assert (error.fault, error.code) == (fault, code)


def test_how_long_to_wait() -> None:
    body = {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
    assert refusal(httpx.Response(429, json=body, headers={"Retry-After": "7"})).retry_after_s == 7
    reset = {"RateLimit-Reset": str(int(time.time()) + 60)}
    wait_s = refusal(httpx.Response(429, json=body, headers=reset)).retry_after_s
    assert wait_s is not None
    assert 50 < wait_s <= 60


def test_a_long_message_is_cut() -> None:
    assert len(named("InvalidRequest", "x" * 10_000).message) == MAX_MESSAGE_CHARS
