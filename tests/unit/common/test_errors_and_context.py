"""Errors, context, settings, ids and logs: what every stage counts on."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from services.common import context, ids, log, rpc, settings
from services.common.context import CallContext
from services.common.errors import TABLE, Code, MediaError, Violation
from services.common.settings import SettingsError, var


def test_every_code_has_a_row_with_a_real_grpc_status() -> None:
    assert set(TABLE) == set(Code)
    assert all(hasattr(grpc.StatusCode, row.grpc) for row in TABLE.values())


def test_what_to_do_about_an_error_is_told_without_values() -> None:
    assert not [code for code, row in TABLE.items() if set("{}") & set(row.remediation)]


@pytest.mark.parametrize("code", Code)
def test_an_error_crosses_an_rpc_unchanged_but_for_its_why(code: Code) -> None:
    error = MediaError(code, violations=[Violation("a.b", "is wrong")], limit=8, threat="Eicar", why="secret cause")
    there = rpc.unpack(rpc.pack(error))
    assert (there.code, there.message, there.violations) == (code, error.message, error.violations)
    assert there.details == {"limit": 8, "threat": "Eicar"}
    assert there.why == ""


def test_a_sentence_with_a_value_nobody_gave_still_comes_out() -> None:
    assert MediaError(Code.MEDIA_NOT_FOUND).message == "No media ?."


def test_a_caller_survives_metadata() -> None:
    caller = CallContext("ws_1", "req_1", plan="pro", live=True, wait_s=2.5, idempotency_key="k")
    assert context.from_metadata(context.to_metadata(caller)) == caller


def test_who_says_nothing_gets_the_least() -> None:
    assert context.from_metadata([]) == CallContext("", "", plan="free", live=False)


def test_ids_sort_by_when_they_were_made() -> None:
    made = [ids.new("med") for _ in range(5000)]
    assert made == sorted(set(made))
    assert all(len(one) == 30 and one.startswith("med_") for one in made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Settings with one of each."""

    listen: str = var(str, "host:port")
    drain_s: float = var(float, "seconds", default=1.0)
    key: str = var(str, "the key", secret=True)


def test_settings_are_read_with_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    env = {"MEDIA_X_LISTEN": "h:1", "MEDIA_X_KEY_FILE": str(tmp_path / "key"), "OTHER": "1"}
    assert settings.load(Example, "media_x", env) == Example(listen="h:1", drain_s=1.0, key="s3cret")


def test_every_fault_of_the_settings_is_in_one_report(tmp_path: Path) -> None:
    env = {"MEDIA_X_DRAIN_S": "soon", "MEDIA_X_KEY_FILE": str(tmp_path / "none"), "MEDIA_X_LISTN": "h:1"}
    with pytest.raises(SettingsError) as caught:
        settings.load(Example, "MEDIA_X", env)
    report = str(caught.value)
    assert all(name in report for name in ("MEDIA_X_DRAIN_S", "MEDIA_X_KEY_FILE", "MEDIA_X_LISTN:", "MEDIA_X_LISTEN:"))


@pytest.mark.parametrize(
    "text",
    [
        "key lmp_test_01ABC_secret9 used",
        "Authorization: Bearer abc.def-ghi",
        "postgresql://role:hunter2@127.0.0.1/db",
        "whsec_c2VjcmV0c2VjcmV0",
    ],
)
def test_secrets_do_not_reach_a_log(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, text, None, None)
    record.__dict__["access_token"] = "t0ken-value"
    line = log.JsonLines("ingest").format(record)
    found = json.loads(line)
    assert found["stage"] == "ingest"
    assert found["access_token"] == log.HIDDEN
    assert not any(word in line for word in ("secret9", "abc.def", "hunter2", "c2VjcmV0", "t0ken"))
