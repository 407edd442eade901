"""What a stage offers to operators: commands of `lmp-admin`, run with the stage's own settings, and their answers."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = "str | int | float | bool | None"
Row: TypeAlias = "Mapping[str, Cell]"

# How a command ends. argparse ends with 2 where the command line is wrong.
DONE, REFUSED, AWAY, FOUND = 0, 1, 3, 4


class CommandError(Exception):
    """It was not done, and the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command tells.

    Attributes:
        rows: All with the same names, in lowerCamelCase.   single: the one row is the thing itself, not a list.
        note: A sentence for people.   exit_code: FOUND where a check found what it looked for.
    """

    rows: Sequence[Row] = ()
    single: bool = False
    note: str = ""
    exit_code: int = DONE


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a group. run raises MediaError, SettingsError or CommandError."""

    name: str
    help: str
    arguments: Callable[[ArgumentParser], object]
    run: Callable[[Namespace], Awaitable[Answer]]


def no_arguments(_: ArgumentParser) -> None:
    """A command that needs none."""


def at_least_one(text: str) -> int:
    """A number of things, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)
