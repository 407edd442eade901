"""Who asks, and for which request: carried by a ContextVar here and by gRPC metadata between stages."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallContext:
    """One caller.

    Attributes:
        plan: Of the workspace.   live: whether the key may reach real platforms.
        wait_s: How long the caller wants to wait for a settled answer; None: it did not say.
    """

    workspace_id: str
    request_id: str
    plan: str = "free"
    live: bool = False
    wait_s: float | None = None
    idempotency_key: str | None = None


NOBODY = CallContext(workspace_id="", request_id="")

_current: ContextVar[CallContext] = ContextVar("caller", default=NOBODY)


def current() -> CallContext:
    """Of the call being served; NOBODY outside of one."""
    return _current.get()


def enter(caller: CallContext) -> None:
    """For the rest of this task."""
    _current.set(caller)


@contextmanager
def use(caller: CallContext) -> Iterator[None]:
    """For this block."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)


def to_metadata(caller: CallContext) -> tuple[tuple[str, str], ...]:
    """As it crosses an RPC."""
    rows = [
        ("x-workspace-id", caller.workspace_id),
        ("x-request-id", caller.request_id),
        ("x-plan", caller.plan),
        ("x-mode", "live" if caller.live else "test"),
    ]
    if caller.wait_s is not None:
        rows.append(("x-wait-s", repr(caller.wait_s)))
    if caller.idempotency_key is not None:
        rows.append(("x-idempotency-key", caller.idempotency_key))
    return tuple(rows)


def from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> CallContext:
    """The other way round. A caller that says nothing gets the least: no workspace, test mode, the smallest plan."""
    found = {name: value for name, value in metadata if isinstance(value, str)}
    wait_s = found.get("x-wait-s")
    return CallContext(
        workspace_id=found.get("x-workspace-id", ""),
        request_id=found.get("x-request-id", ""),
        plan=found.get("x-plan", "free"),
        live=found.get("x-mode") == "live",
        wait_s=float(wait_s) if wait_s is not None else None,
        idempotency_key=found.get("x-idempotency-key"),
    )
