"""The local stack.   python -m deploy.local run | up | down | doctor | clean | validate-envoy | nats-rights

`store-rights` is what the chart's own stores are made from.

State lives in .local (LMP_STATE_DIR), the API listens on LMP_PORT (8080). LMP_LOGS=all shows the logs of PostgreSQL,
NATS, S3, clamd and Envoy too. See the Makefile for what each command does.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from deploy.local import background, doctor
from deploy.local.certificates import Authority
from deploy.local.console import LogView, StatusLine, banner, environment_file
from deploy.local.envoy import Envoy
from deploy.local.json_port import Door, JsonPort
from deploy.local.nats import permissions
from deploy.local.ports import Ports
from deploy.local.processes import LocalError
from deploy.local.s3 import IDENTITIES, Credentials
from deploy.local.stack import Stack, replicas_of
from deploy.local.state import State

STOPPED_BY_SIGNAL = 130


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = parser.parse_args().command
    try:
        return COMMANDS[command]()
    except LocalError as exc:
        print(f"\n{exc}\n", file=sys.stderr)
        return 1


def run() -> int:
    """Everything in the foreground, until told to stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    status = StatusLine()
    started = time.monotonic()
    stack = Stack(State.default(), tell=status.tell, replicas=replicas_of(os.environ))
    view = LogView(stack.state, everything=os.environ.get("LMP_LOGS") == "all")
    try:
        with stack:
            status.done()
            environment_file(stack)
            print(banner(stack, seconds=time.monotonic() - started), flush=True)
            background.report_ready()
            view.follow()
    except KeyboardInterrupt:
        print("\nstopped; the data is kept", flush=True)
    finally:
        status.done()
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    """The first signal stops everything in order; the second at once, and the kernel ends the children."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os._exit(STOPPED_BY_SIGNAL))
    print("\nstopping…", flush=True)
    raise KeyboardInterrupt


def clean() -> int:
    """Drop everything."""
    state = State.default()
    state.remove()
    print(f"removed {state.root}")
    return 0


def validate_envoy() -> int:
    """See that Envoy takes both shipped configurations."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        Envoy(state, ports=Ports(), credentials=Credentials("key", "secret")).validate()
        Authority("a").furnish(Path(folder), "json-port")
        JsonPort(state, ports=Ports(), door=Door(certificates=Path(folder), callers="a")).validate()
    print("envoy: configurations OK")
    return 0


def nats_rights() -> int:
    """Print what each stage's user may do, and an operator's, in the form NATS' `authorization { users }` takes."""
    users = [{"user": name, "permissions": allowed} for name, allowed in permissions().items()]
    print(json.dumps(users, indent=2))
    return 0


def store_rights() -> int:
    """Print who may do what in NATS and in the buckets, for the chart's own stores."""
    print(json.dumps({"nats": permissions(), "s3": IDENTITIES}, indent=2))
    return 0


COMMANDS: dict[str, Callable[[], int]] = {
    "run": run,
    "up": background.up,
    "down": background.down,
    "doctor": doctor.report,
    "clean": clean,
    "validate-envoy": validate_envoy,
    "nats-rights": nats_rights,
    "store-rights": store_rights,
}

if __name__ == "__main__":
    sys.exit(main())
