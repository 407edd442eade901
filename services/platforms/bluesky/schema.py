"""Checks of JSON values as lexicons name them, in the PDS's own words. Pure.

Source: atproto.com/specs/lexicon; messages as @atproto/pds 0.5.35 gives them.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import cast

from services.platforms.bluesky.text import graphemes
from services.platforms.ports import JSON

# check(value, where it is) raises UnfitError.
Check = Callable[[JSON, str], None]

PREVIEW_CHARS = 256
PREVIEW_ITEMS = 2
_RAW_CID = re.compile(r"bafkrei[a-z2-7]{52}")


class UnfitError(Exception):
    """A value that is not as its lexicon says."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} at {where}")


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object. Required fields come first, in their order; unknown ones are allowed, as everywhere in the network."""

    def check(value: JSON, where: str) -> None:
        if not isinstance(value, dict):
            raise _not_a("object", value, where)
        for name, inner in {**required, **(optional or {})}.items():
            if name in value:
                inner(value[name], f"{where}.{name}")
            elif name in required:
                raise UnfitError(f'Missing required key "{name}"', where)

    return check


def union(kinds: Mapping[str, Check]) -> Check:
    """An object of one of these `$type`s, or of one nobody here knows: unions are open."""

    def check(value: JSON, where: str) -> None:
        if not isinstance(value, dict) or not isinstance(value.get("$type"), str):
            raise UnfitError(
                f'Expected an object which includes the "$type" property value type (got {shown(value)})', where
            )
        if (inner := kinds.get(str(value["$type"]))) is not None:
            inner(value, where)

    return check


def array(item: Check, max_length: int | None = None) -> Check:
    """A list of at most max_length items."""

    def check(value: JSON, where: str) -> None:
        if not isinstance(value, list):
            raise _not_a("array", value, where)
        if max_length is not None and len(value) > max_length:
            raise UnfitError(f"array too big (maximum {max_length}, got {len(value)})", where)
        for index, inner in enumerate(value):
            item(inner, f"{where}[{index}]")

    return check


def integer(minimum: int) -> Check:
    """A whole number of at least minimum."""

    def check(value: JSON, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _not_a("integer", value, where)
        if value < minimum:
            raise UnfitError(f"integer too small (minimum {minimum}, got {value})", where)

    return check


def string(max_bytes: int | None = None, max_graphemes: int | None = None) -> Check:
    """Text. max_bytes: in UTF-8."""

    def check(value: JSON, where: str) -> None:
        if not isinstance(value, str):
            raise _not_a("string", value, where)
        if max_bytes is not None and (size := len(value.encode())) > max_bytes:
            raise UnfitError(f"string too big (maximum {max_bytes}, got {size})", where)
        if max_graphemes is not None and (count := graphemes(value)) > max_graphemes:
            raise UnfitError(f"grapheme too big (maximum {max_graphemes}, got {count})", where)

    return check


def matching(fits: Callable[[str], bool], name: str) -> Check:
    """Text of a format. fits(text): whether it is of that format.   name: what the PDS calls the format."""

    def check(value: JSON, where: str) -> None:
        string()(value, where)
        if not fits(str(value)):
            raise UnfitError(f"Invalid {name} (got {shown(value)})", where)

    return check


def blob(accept: str, max_bytes: int) -> Check:
    """A blob's reference. accept: its type, or a kind of types as image/*."""

    def check(value: JSON, where: str) -> None:
        if not _is_blob(value):
            raise _not_a("blob", value, where)
        reference = cast(Mapping[str, JSON], value)
        mime, size = cast(str, reference["mimeType"]), cast(int, reference["size"])
        if not (mime == accept or (accept.endswith("*") and mime.startswith(accept[:-1]))):
            raise UnfitError(f'Expected "{accept}" (got "{mime}")', f"{where}.mimeType")
        if size > max_bytes:
            raise UnfitError(f"blob too big (maximum {max_bytes}, got {size})", where)

    return check


def shown(value: JSON) -> str:
    """A value as messages show it: the beginning of it."""
    match value:
        case None:
            return "null"
        case str():
            short = value if len(value) < PREVIEW_CHARS else f"{value[: PREVIEW_CHARS - 1]}…"
            return json.dumps(short, ensure_ascii=False)
        case list():
            return f"[{_first([shown(item) for item in value])}]"
        case dict():
            return f"{{{_first([f'{json.dumps(key, ensure_ascii=False)}: ...' for key in value])}}}"
        case _:
            return json.dumps(value)


def _is_blob(value: JSON) -> bool:
    if not isinstance(value, dict) or value.get("$type") != "blob":
        return False
    mime, size, ref = value.get("mimeType"), value.get("size"), value.get("ref")
    link = ref.get("$link") if isinstance(ref, dict) else None
    is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return isinstance(mime, str) and is_size and isinstance(link, str) and _RAW_CID.fullmatch(link) is not None


def _not_a(kind: str, value: JSON, where: str) -> UnfitError:
    return UnfitError(f"Expected {kind} value type (got {shown(value)})", where)


def _first(items: list[str]) -> str:
    return ", ".join(items[:PREVIEW_ITEMS]) + (", ..." if len(items) > PREVIEW_ITEMS else "")
