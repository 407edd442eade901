"""Child processes that cannot outlive us, with their output in a file."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEPT_LOG_BYTES = 8 << 20
POLL_S = 0.02
DUMP_S = 2.0

# The kernel sends the death signal when the *thread* that forked ends, so one thread that lives as long as the
# interpreter does all the forking.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class LocalError(Exception):
    """Something the person at the terminal has to know; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """Another user to run as. `reach` keeps the right to walk through folders closed to that user."""

    uid: int
    gid: int
    reach: bool = False


def _prefix(death: signal.Signals, user: RunAs | None) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError("setpriv is missing: install util-linux (on Debian: apt-get install util-linux)")
    words = [setpriv, "--pdeathsig", death.name.removeprefix("SIG")]
    if user is not None:
        words += [f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
        if user.reach:
            words += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*words, "--"]


def output_of(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    user: RunAs | None = None,
    cwd: Path = Path("/"),
    timeout_s: float = 60,
) -> str:
    """Run a command to its end; returns what it printed.

    Raises:
        LocalError: it failed or took too long; its output is in the message.
    """
    command = [*_prefix(signal.SIGKILL, user), *argv]
    name = " ".join(Path(word).name for word in argv[:3])
    try:
        done = subprocess.run(
            command, env=dict(env), cwd=cwd, check=True, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.CalledProcessError as exc:
        raise LocalError(f"{name} failed:\n{exc.stdout}{exc.stderr}") from exc
    except subprocess.TimeoutExpired as exc:
        raise LocalError(f"{name} did not end within {timeout_s:.0f} s") from exc
    return done.stdout


class Child:
    """One running program, leader of its own process group."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path,
        death: signal.Signals = signal.SIGKILL,
        user: RunAs | None = None,
    ) -> None:
        self.log = log
        command = [*_prefix(death, user), *argv]
        self._process = _SPAWNER.submit(_spawn, command, dict(env), log, cwd).result()

    @property
    def pid(self) -> int:
        """Process id, which is also the id of the group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def send(self, number: int) -> None:
        """Send a signal to the program alone."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals, *, grace_s: float) -> None:
        """Ask it to stop, then insist; afterwards nothing of its group is left. One that had to be ended leaves in its
        log where its threads were."""
        if self._process.poll() is None:
            self._process.send_signal(number)
            if not self.wait(grace_s) and number != signal.SIGKILL:
                self._process.send_signal(signal.SIGABRT)
                self.wait(DUMP_S)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        end = time.monotonic() + timeout_s
        while self._process.poll() is None:
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        return tail(self.log, count)


def _spawn(command: list[str], env: dict[str, str], log: Path, cwd: Path) -> subprocess.Popen[bytes]:
    if log.exists() and log.stat().st_size > KEPT_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as out:
        return subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, process_group=0
        )


def tail(log: Path, count: int) -> str:
    """The last lines of a file, indented; says so when there are none."""
    if not log.exists():
        return f"    ({log} does not exist)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64 * 1024))
        lines = file.read().decode(errors="replace").splitlines()[-count:]
    return "\n".join(f"    {line}" for line in lines) or f"    ({log} is empty)"
