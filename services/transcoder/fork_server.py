"""Forks decoding processes off one that has loaded all they need.   python -m services.transcoder.fork_server

Loading Python and the codecs takes a quarter of a second of processor, more than most pictures do; a copy of a process
that has done so takes some milliseconds. It never reads a byte of a stranger's file, and has one thread, so that copies
are whole. It ends with the process that started it, and its children with it.

Its standard input is a socket of messages. To it: `fork` with the three standard files of a child; `kill` and a number.
From it, in JSON: {"ready": true} once; for each `fork` in turn {"forked": pid} or {"refused": why}; and {"ended": pid,
"code": …}, below 0 the signal that ended it.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from services.transcoder import child

MESSAGE_BYTES = 4096
STANDARD_FILES = 3


class Server:
    """The parent's side of every child."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        # The end of a child is a byte in this pipe, so that one wait is for both.
        self._woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Until the other side hangs up."""
        self._tell({"ready": True})
        hears = True
        while hears:
            readable, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in readable:
                os.read(self._woken, MESSAGE_BYTES)
                self._reap()
            if self._control.fileno() in readable:
                hears = self._obey()

    def _obey(self) -> bool:
        """One message. False: there will be no more."""
        message, files, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, STANDARD_FILES)
        match message.decode().split():
            case ["fork"]:
                self._fork(files)
            case ["kill", number] if (pid := int(number)) in self._children:
                # Not waited for yet, so the number is nobody else's.
                os.kill(pid, signal.SIGKILL)
        return bool(message)

    def _fork(self, files: Sequence[int]) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as exc:
            self._tell({"refused": str(exc)})
        else:
            if pid == 0:
                _become_child(files, parent)
            self._children.add(pid)
            self._tell({"forked": pid})
        finally:
            for one in files:
                os.close(one)

    def _reap(self) -> None:
        for pid in tuple(self._children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._children.remove(pid)
                self._tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, what: dict[str, object]) -> None:
        self._control.send(json.dumps(what).encode())


def _become_child(files: Sequence[int], parent: int) -> NoReturn:
    """Nothing of the parent's is open in it, and nothing of it returns there."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(STANDARD_FILES, os.sysconf("SC_OPEN_MAX"))
        child.main(parent)
    except BaseException:  # noqa: BLE001  whatever it is, a child must not go on as its parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Loads, then forks on demand."""
    control = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    child.load()
    # What is there now is never garbage: left alone, its pages stay shared.
    gc.freeze()
    with contextlib.suppress(BrokenPipeError):  # the other side hung up while it was told something
        Server(control).run()


if __name__ == "__main__":
    main()
