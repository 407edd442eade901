"""The set-up of a bare machine, as far as it can be seen without changing this one."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.local import bootstrap


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been run; of these only making a venv has an effect."""
    ran: list[list[str]] = []

    def call(command: Sequence[str], _failure: str) -> None:
        ran.append(list(command))
        if "venv" in command:
            programs = Path(command[-1]) / "bin"
            programs.mkdir(parents=True)
            (programs / "python").symlink_to(sys.executable)

    monkeypatch.setattr(bootstrap, "call", call)
    return ran


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of a project without a venv."""
    venv = tmp_path / ".venv"
    lock = tmp_path / "dev.lock"
    lock.write_text("one")
    for name, value in (("VENV", venv), ("STAMP", venv / ".installed"), ("LOCK", lock)):
        monkeypatch.setattr(bootstrap, name, value)
    return lock


def test_a_python_that_is_too_old_is_named_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(bootstrap.SetupError, match="make run PYTHON="):
        bootstrap.check_python()


def test_missing_debian_packages_are_installed_by_root_without_questions(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr(bootstrap, "missing_debian", lambda _purpose: iter(["clamav-daemon"]))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.install_debian("run")
    assert [command[-1] for command in commands] == ["update", "clamav-daemon"]
    assert "DEBIAN_FRONTEND=noninteractive" in commands[1]
    assert "--no-install-recommends" in commands[1]


def test_who_may_not_install_is_told_the_command(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> None:
    monkeypatch.setattr(bootstrap, "missing_debian", lambda _purpose: iter(["clamav-daemon", "libmagic1"]))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "sudo" else f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(bootstrap.SetupError, match="sudo apt-get install clamav-daemon libmagic1"):
        bootstrap.install_debian("run")
    assert commands == []


def test_where_there_is_no_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "missing_debian", lambda _purpose: iter(["libmagic1"]))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(bootstrap.SetupError, match="libmagic1"):
        bootstrap.install_debian("run")


def test_exactly_what_the_lock_names_is_installed_once(lock: Path, commands: list[list[str]]) -> None:
    bootstrap.install_python()
    assert any("--require-hashes" in command and str(lock) in command for command in commands)
    commands.clear()
    bootstrap.install_python()
    assert commands == []


def test_a_changed_lock_is_installed(lock: Path, commands: list[list[str]]) -> None:
    bootstrap.install_python()
    lock.write_text("two")
    commands.clear()
    bootstrap.install_python()
    assert any(str(lock) in command for command in commands)


def test_an_installation_that_failed_is_not_taken_for_done(
    lock: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_command: Sequence[str], failure: str) -> None:
        raise bootstrap.SetupError(failure)

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "call", fail)
        with pytest.raises(bootstrap.SetupError):
            bootstrap.install_python()
    bootstrap.install_python()
    assert any(str(lock) in command for command in commands)
