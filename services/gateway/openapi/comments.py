"""What the protos say in their comments, generated beside the code that is generated from them."""

import json
import re
from functools import cache
from importlib import resources

from services.common.errors import Code

_ERRORS = re.compile(r"\s*\bErrors: ([a-z0-9_, ]+)\.")


class CommentError(Exception):
    """A comment promises an error that does not exist; found at start."""


def of(full_name: str) -> str:
    """The comment of a message, field, enum, value, service or RPC, without its list of errors; "" for none."""
    return _ERRORS.sub("", _all().get(full_name, "")).strip()


def errors(full_name: str) -> list[Code]:
    """The errors an RPC's comment lists. Raises: CommentError for one that is not in the table."""
    found = _ERRORS.search(_all().get(full_name, ""))
    names = [] if found is None else [name.strip() for name in found[1].split(",")]
    try:
        return [Code(name) for name in names]
    except ValueError as exc:
        raise CommentError(f"{full_name}: {exc}") from exc


@cache
def _all() -> dict[str, str]:
    text = resources.files("mediaapi.v1").joinpath("comments.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found
