"""Idempotency-Key: what a repeated request gets. Pure; the table decides races."""

from dataclasses import dataclass

from services.common.errors import Code, MediaError

MAX_KEY_CHARACTERS = 255
# Refused for a while or for now: the same request may do better later, so nothing is kept of these.
_PASSING = frozenset({401, 403, 408, 409, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Scope:
    """What one Idempotency-Key is unique in: a workspace and one route, which is a key mode and an RPC."""

    workspace_id: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer kept for 24 hours. `headers` are those that belong to it, e.g. Location."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Prior:
    """The row a request met. `fingerprint` is None while an upload's content is not known yet."""

    fingerprint: bytes | None
    answer: StoredAnswer | None


def worth_keeping(status: int) -> bool:
    """Whether a first answer is the last word: successes and refusals of the content, never a passing fault."""
    return 200 <= status < 300 or (400 <= status < 500 and status not in _PASSING)


def replay(prior: Prior, fingerprint: bytes, retry_after_s: int) -> StoredAnswer:
    """The first answer again.

    Raises:
        MediaError: IDEMPOTENCY_CONFLICT for other content, IDEMPOTENCY_IN_PROGRESS while there is no answer.
    """
    if prior.fingerprint is not None and prior.fingerprint != fingerprint:
        raise MediaError(Code.IDEMPOTENCY_CONFLICT)
    if prior.answer is None:
        raise MediaError(Code.IDEMPOTENCY_IN_PROGRESS, retry_after_s=retry_after_s)
    return prior.answer
