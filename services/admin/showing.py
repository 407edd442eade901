"""Answers as people read them, and as programs do."""

import json
from collections.abc import Sequence

from services.common.commands import Answer, Cell, Row

GAP = "  "


def shown(answer: Answer, *, as_json: bool) -> str:
    """A table, or the fields of one thing; JSON: a list, or an object."""
    if as_json:
        value = dict(answer.rows[0]) if answer.single else [dict(row) for row in answer.rows]
        return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    body = _fields(answer.rows[0]) if answer.single else _table(answer.rows)
    return "".join(f"{line}\n" for line in [*body, *filter(None, [answer.note])])


def _fields(row: Row) -> Sequence[str]:
    width = max(map(len, row), default=0)
    return [f"{name:<{width}}{GAP}{_text(value)}".rstrip() for name, value in row.items()]


def _table(rows: Sequence[Row]) -> Sequence[str]:
    if not rows:
        return []
    lines = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [GAP.join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _text(value: Cell) -> str:
    """One line, whatever a customer wrote: no control character reaches the operator's terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(char if char.isprintable() else "�" for char in str(value))
