"""What all programs of the stack have in common: prepare, start, answer, settle, stop."""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from deploy.local.processes import Child, LocalError, RunAs
from deploy.local.state import REPOSITORY, State

PROBE_EVERY_S = 0.05


class Daemon(ABC):
    """One program. Subclasses say what to run and how to see that it answers."""

    name: str
    # On a machine that does much else, Python alone may take half of this. Whatever dies is noticed at once.
    ready_within_s: float = 90.0
    grace_s: float = 5.0
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends it when we die without a word.
    death_signal: signal.Signals = signal.SIGKILL

    def __init__(self, state: State) -> None:
        self.state = state
        self.child: Child | None = None

    @abstractmethod
    def argv(self) -> list[str]:
        """The command."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work now; quick, and never raises for "not yet"."""

    def prepare(self) -> None:  # noqa: B027  most need nothing
        """Make folders and configuration; called before each start."""

    def settle(self) -> None:  # noqa: B027  most need nothing
        """Make what others count on (buckets, databases), once it answers; safe to repeat."""

    def env(self) -> Mapping[str, str]:
        """Its whole environment."""
        return base_environment()

    def user(self) -> RunAs | None:
        """Whom to run it as; None: as ourselves."""
        return None

    def cwd(self) -> Path:
        """Its working folder."""
        return REPOSITORY

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.child is not None and self.child.exit_code() is None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            LocalError: it does not run.
        """
        if self.child is None or self.child.exit_code() is not None:
            raise LocalError(f"{self.name} is not running")
        return self.child.pid

    def launch(self) -> None:
        """Start the process; it may not answer yet."""
        self.prepare()
        self.child = Child(
            self.argv(),
            env=self.env(),
            log=self.state.log(self.name),
            cwd=self.cwd(),
            death=self.death_signal,
            user=self.user(),
        )

    def start(self) -> None:
        """Start, wait until it answers, settle.

        Raises:
            LocalError: it died or never answered; the end of its log is in the message.
        """
        self.launch()
        self.wait_ready()
        self.settle()

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            LocalError: it died or did not answer in time.
        """
        end = time.monotonic() + self.ready_within_s
        while not self.answers():
            self.check_alive()
            if time.monotonic() > end:
                raise LocalError(f"{self.name} did not answer within {self.ready_within_s:.0f} s; {self._log_end()}")
            time.sleep(PROBE_EVERY_S)

    def check_alive(self) -> None:
        """See that its process is there.

        Raises:
            LocalError: it ended, or was stopped meanwhile.
        """
        if not self.running:
            raise LocalError(f"{self.name} {self.last_words()}")

    def stop(self) -> None:
        """Stop it and all it started."""
        if self.child is not None:
            self.child.stop(self.stop_signal, grace_s=self.grace_s)
            self.child = None

    def kill(self) -> None:
        """End its process like a power cut would: SIGKILL, no goodbye."""
        if self.child is not None:
            self.child.stop(signal.SIGKILL, grace_s=0)

    def last_words(self) -> str:
        """How it ended, and the end of its log."""
        code = self.child.exit_code() if self.child else None
        if code is None:
            return "is running" if self.child else "is stopped"
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{how}; {self._log_end()}"

    def _log_end(self) -> str:
        log = self.state.log(self.name)
        last = self.child.last_lines() if self.child else ""
        return f"the end of {log}:\n{last}"


def base_environment() -> dict[str, str]:
    """What every child gets: enough to run, nothing that could leak or steer."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"TZ": "UTC"}
