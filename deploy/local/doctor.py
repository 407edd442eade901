"""`make doctor`: what of the local stack would not work on this machine, and what to do about it."""

import os
from collections.abc import Callable

from deploy.local import clamd, envoy, nats, postgres
from deploy.local.ports import Ports
from deploy.local.processes import LocalError
from deploy.local.state import State


def report() -> int:
    """Print one line for each thing looked at; 1 when something is missing."""
    state = State.default()
    running = state.owner()
    checks: list[tuple[str, Callable[[], object]]] = [
        ("PostgreSQL", lambda: postgres.Postgres(state, port=0).program()),
        ("NATS", lambda: nats.find_program("nats-server")),
        ("S3 (SeaweedFS)", lambda: nats.find_program("weed")),
        ("clamd", clamd.find_clamd),
        ("Envoy", envoy.find_envoy),
    ]
    if running is None:
        checks.append(("ports", Ports.from_environment().check))
    failures = sum(not _passes(name, check) for name, check in checks)
    if running is not None:
        print(f"ok      a stack is running, pid {running}; its ports are its own")
    if not clamd.has_official_signatures():
        print(
            "note    no virus signatures in /var/lib/clamav: test signatures are used; `sudo freshclam` gets real ones"
        )
    if os.geteuid() == 0:
        print("note    you are root: PostgreSQL alone will run as another user")
    return 1 if failures else 0


def _passes(name: str, check: Callable[[], object]) -> bool:
    try:
        found = check()
    except LocalError as exc:
        for number, line in enumerate(str(exc).splitlines()):
            print(f"{'MISSING' if number == 0 else '       '} {name if number == 0 else ''} {line}")
        return False
    print(f"ok      {name}{f' ({found})' if isinstance(found, str) else ''}")
    return True
