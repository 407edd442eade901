"""What the RPCs of this stage share: who asks, for which page."""

import base64
import binascii
import json
from datetime import UTC, datetime

from services.common import context
from services.common.errors import Code, MediaError, Violation
from services.publisher.ports import Caller, Position

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


def caller() -> Caller:
    """Of the call being served."""
    ctx = context.current()
    return Caller(ctx.workspace_id, ctx.live)


def plain(name: str) -> str:
    """A name the database can look for; what cannot be one becomes one that nothing has."""
    return name.replace("\0", "?")


def limit(asked: int) -> int:
    """Items on a page: 0 asks for the usual number. Raises INVALID_REQUEST."""
    if not 0 <= asked <= MAX_LIMIT:
        raise MediaError(Code.INVALID_REQUEST, violations=[Violation("limit", f"must be 1 to {MAX_LIMIT}")])
    return asked or DEFAULT_LIMIT


def cursor(after: Position | None) -> str | None:
    """How a client names where its page ended."""
    if after is None:
        return None
    return base64.urlsafe_b64encode(json.dumps([after.created_at.isoformat(), after.id]).encode()).decode()


def position(cursor: str) -> Position | None:
    """The other way round; "": at the beginning. Raises INVALID_REQUEST."""
    if not cursor:
        return None
    try:
        created_at, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return Position(datetime.fromisoformat(created_at).astimezone(UTC), plain(str(last_id)))
    except (ValueError, TypeError, binascii.Error) as exc:
        raise MediaError(Code.INVALID_REQUEST, violations=[Violation("cursor", "is not one of ours")]) from exc
