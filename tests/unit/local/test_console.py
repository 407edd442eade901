"""What people see of the local stack."""

import threading
from pathlib import Path

import pytest

from deploy.local.console import LogView, StatusLine
from deploy.local.state import State


class SeenEnoughError(Exception):
    """Ends a view that would follow for ever."""


def followed(view: LogView, monkeypatch: pytest.MonkeyPatch, *, rounds: int = 1) -> None:
    """Let a view look `rounds` times."""
    left = [rounds]

    def sleep(_seconds: float) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise SeenEnoughError

    monkeypatch.setattr("deploy.local.console.time.sleep", sleep)
    with pytest.raises(SeenEnoughError):
        view.follow()


def test_each_line_names_its_writer_and_old_lines_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    state.log("ingest").write_text("from an earlier run\n")
    view = LogView(state, everything=False)
    with state.log("ingest").open("a") as log:
        log.write("one\ntwo\nhalf a li")
    state.log("gateway").write_text("hello\n")
    state.log("postgres").write_text("noise\n")
    followed(view, monkeypatch)
    assert capsys.readouterr().out == "ingest     | one\ningest     | two\ngateway    | hello\n"
    with state.log("ingest").open("a") as log:
        log.write("ne\n")
    followed(view, monkeypatch)
    assert capsys.readouterr().out == "ingest     | half a line\n"


def test_a_log_that_starts_anew_is_read_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    state.log("ingest").write_text("a long line of an earlier run\n")
    view = LogView(state, everything=False)
    state.log("ingest").write_text("new\n")
    followed(view, monkeypatch)
    assert capsys.readouterr().out == "ingest     | new\n"


def test_all_logs_are_shown_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    view = LogView(state, everything=True)
    state.log("postgres").write_text("ready\n")
    followed(view, monkeypatch)
    assert capsys.readouterr().out == "postgres   | ready\n"


def test_without_a_terminal_each_step_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    status = StatusLine()
    thread = threading.Thread(target=status.tell, args=("starting",))
    thread.start()
    thread.join()
    status.done()
    assert capsys.readouterr().out == "starting\n"
