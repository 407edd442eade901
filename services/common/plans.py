"""What the plans include, as data: one file for all stages, a section for each kind of limit."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.common.settings import SettingsError

T = TypeVar("T")

SHIPPED = Path(__file__).with_name("plans.toml")


class Plans(Generic[T]):
    """What each plan includes, by its name."""

    def __init__(self, rows: Mapping[str, T]) -> None:
        self._rows = dict(rows)
        self._least = next(iter(self._rows.values()))

    def of(self, plan: str) -> T:
        """A plan nobody knows includes what the first one does."""
        return self._rows.get(plan, self._least)


def load(section: str, make: Callable[[Mapping[str, Any]], T], path: str = "") -> Plans[T]:
    """The plans as `section` of the file at `path` has them; "": of the file that is shipped.

    Args:
        make: Turns what the section says of one plan into `T`; ValueError and TypeError: it cannot be that.

    Raises:
        SettingsError: The file or the section is not there, or says something that cannot be.
    """
    file = Path(path) if path else SHIPPED
    try:
        rows = tomllib.loads(file.read_text())[section]
        return Plans({plan: make(row) for plan, row in rows.items()})
    except (OSError, KeyError, ValueError, TypeError, AttributeError, StopIteration) as exc:
        raise SettingsError(f"{file}: [{section}]: {type(exc).__name__}: {exc}") from exc
