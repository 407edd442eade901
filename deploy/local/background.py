"""`up` and `down`: the same stack without a terminal."""

import os
import signal
import subprocess
import sys
import time

from deploy.local.console import banner_file
from deploy.local.processes import LocalError, tail
from deploy.local.state import REPOSITORY, State

READY_FD = "LMP_READY_FD"
READY = b"ready"
STOP_WITHIN_S = 40.0


def up() -> int:
    """Start in the background; returns when everything answers."""
    state = State.default()
    # Fails with a message when one is running.
    os.close(state.lock())
    log = state.log("supervisor")
    reader, writer = os.pipe()
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"],
            cwd=REPOSITORY,
            env=os.environ | {READY_FD: str(writer)},
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        ready = pipe.read() == READY
    if not ready:
        child.wait()
        raise LocalError(f"the stack did not start; the end of {log}:\n{tail(log, 40)}")
    print(banner_file(state).read_text() + "\nruns in the background; `make down` stops it")
    return 0


def report_ready() -> None:
    """Tell a waiting `up`, if there is one, that everything answers."""
    descriptor = os.environ.pop(READY_FD, None)
    if descriptor is not None:
        os.write(int(descriptor), READY)
        os.close(int(descriptor))


def down() -> int:
    """Stop the stack of our folder, wherever it was started."""
    state = State.default()
    owner = state.owner()
    if owner is None:
        print("nothing is running")
        return 0
    os.kill(owner, signal.SIGTERM)
    end = time.monotonic() + STOP_WITHIN_S
    while state.owner() is not None:
        if time.monotonic() > end:
            raise LocalError(f"process {owner} does not stop; see {state.logs}")
        time.sleep(0.1)
    print("stopped; the data is kept")
    return 0
