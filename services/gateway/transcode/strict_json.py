"""Bytes of a request body -> a JSON value, or one `invalid_json`. Laxer parsers disagree about what a body says."""

import json
import re
from collections.abc import Iterable

from services.common.errors import Code, MediaError
from services.common.public_json import JSON

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
# A parsed value costs about 60 times its two bytes of text; inline media has no commas and stays far below.
MAX_SEPARATORS = 100_000
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(body: bytes) -> JSON:
    """Parse one RFC 8259 text.

    Raises:
        MediaError: INVALID_JSON, for anything but exactly one JSON value in UTF-8 without a byte order mark, with
            unique member names, finite numbers, whole characters and at most 64 levels.
    """
    if body.count(b",") > MAX_SEPARATORS:
        raise _invalid(f"It has more than {MAX_SEPARATORS} values.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _invalid(f"Byte {exc.start} is not UTF-8.") from exc
    if text.startswith("\ufeff"):
        raise _invalid("It begins with a byte order mark.")
    try:
        value: JSON = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise _invalid(f"{exc.msg} at line {exc.lineno}, column {exc.colno}.") from exc
    except RecursionError as exc:
        raise _invalid(f"It is nested deeper than {MAX_DEPTH} levels.") from exc
    except ValueError as exc:  # From the hooks below, and from integers of thousands of digits.
        raise _invalid(str(exc)) from exc
    _check_depth(value)
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _invalid(reason: str) -> MediaError:
    return MediaError(Code.INVALID_JSON, reason=reason)


def _members(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("A member name is used twice in one object.")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("A number is too large.")
    return number


def _not_json(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_not_json)


def _children(value: JSON) -> Iterable[JSON]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_depth(value: JSON) -> None:
    level: list[JSON] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    if any(isinstance(item, (dict, list)) for item in level):
        raise _invalid(f"It is nested deeper than {MAX_DEPTH} levels.")


def _check_surrogates(value: JSON) -> None:
    pending: list[JSON] = [value]
    while pending:
        item = pending.pop()
        texts = item.keys() if isinstance(item, dict) else (item,) if isinstance(item, str) else ()
        for text in texts:
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as exc:
                raise _invalid("A string has half a surrogate pair.") from exc
        pending.extend(_children(item))
