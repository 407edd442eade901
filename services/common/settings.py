"""Settings: one dataclass per stage, one variable per field, every fault reported at once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_ABSENT = object()


class SettingsError(Exception):
    """What is missing, malformed or unknown, a line each."""


def var(kind: Callable[[str], T], description: str, *, default: T | None = None, secret: bool = False) -> Any:
    """A setting read from <PREFIX>_<FIELD>; a secret from the file that <PREFIX>_<FIELD>_FILE names."""
    metadata = {"kind": kind, "description": description, "secret": secret}
    if default is None:
        return field(metadata=metadata | {"required": True})
    return field(default=default, metadata=metadata | {"required": False})


def load(
    settings: type[T], prefix: str, env: Mapping[str, str] = os.environ, *, part_of: type[object] | None = None
) -> T:
    """The settings of a stage, or a part of them: what else the stage knows may be set, and is not looked at.

    Raises:
        SettingsError: one report of every variable that is missing, malformed or unknown.
    """
    start = prefix.upper() + "_"
    values: dict[str, object] = {}
    problems: list[str] = []
    known = {_name(start, item) for item in fields(part_of or settings)}  # type: ignore[arg-type]
    for item in fields(settings):  # type: ignore[arg-type]
        name = _name(start, item)
        known.add(name)
        value = _value(name, env, item.metadata, problems)
        if value is not _ABSENT:
            values[item.name] = value
    problems += [f"{name}: no such setting" for name in sorted(env) if name.startswith(start) and name not in known]
    if problems:
        raise SettingsError("\n".join(["settings:", *problems]))
    return settings(**values)


def _name(start: str, item: Field[object]) -> str:
    return start + item.name.upper() + ("_FILE" if item.metadata["secret"] else "")


def _value(name: str, env: Mapping[str, str], metadata: Mapping[str, Any], problems: list[str]) -> object:
    if name not in env:
        if metadata["required"]:
            problems.append(f"{name}: missing ({metadata['description']})")
        return _ABSENT
    try:
        text = Path(env[name]).read_text().strip() if metadata["secret"] else env[name]
        value: object = metadata["kind"](text)
    except (OSError, ValueError) as exc:
        # A secret's text stays out of the report.
        shown = type(exc).__name__ if metadata["secret"] else repr(env[name])
        problems.append(f"{name}: {shown} is not {metadata['description']}")
        return _ABSENT
    if metadata["secret"] and not text:
        problems.append(f"{name}: the file is empty")
        return _ABSENT
    return value
