"""Finds platforms by their folders: `<id>/publish.py` has PUBLISHER, `<id>/sandbox.py` has app.

Adding a platform is adding a folder; nothing here names one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, TypeAlias, cast

from services.platforms import catalog
from services.platforms.ports import Publisher

if TYPE_CHECKING:  # whoever publishes has no ASGI framework installed
    from starlette.types import ASGIApp

    from services.platforms.sandboxing.state import SandboxState

HERE = Path(__file__).parent

MakeApp: TypeAlias = "Callable[[SandboxState], ASGIApp]"


class RegistryError(Exception):
    """A platform's folder does not hold what its name promises; the message names the file."""


@cache
def publishers() -> Mapping[str, Publisher]:
    """Every platform we publish to, by id. Raises RegistryError."""
    found: dict[str, Publisher] = {}
    for name in _folders_with("publish.py"):
        publisher = cast("Publisher", _member(name, "publish", "PUBLISHER"))
        if publisher.id != name:
            raise RegistryError(f"{name}/publish.py: PUBLISHER.id is {publisher.id!r}, not the folder's name")
        found[name] = publisher
    return MappingProxyType(found)


@cache
def aliases() -> Mapping[str, str]:
    """Other names of platforms → their id. Raises RegistryError if a name means two."""
    known = publishers()
    found: dict[str, str] = {}
    for name in known:
        for alias in catalog.load()[name].aliases:
            if alias in known or found.get(alias, name) != name:
                raise RegistryError(f"{name}/spec.toml: the alias {alias!r} is taken")
            found[alias] = name
    return MappingProxyType(found)


@cache
def sandboxes() -> Mapping[str, MakeApp]:
    """What plays each platform, by id. Raises RegistryError."""
    return MappingProxyType(
        {name: cast("MakeApp", _member(name, "sandbox", "app")) for name in _folders_with("sandbox.py")}
    )


def _folders_with(file: str) -> list[str]:
    return sorted(path.parent.name for path in HERE.glob(f"*/{file}"))


def _member(platform: str, module: str, name: str) -> object:
    loaded: ModuleType = import_module(f"services.platforms.{platform}.{module}")
    member: object = getattr(loaded, name, None)
    if member is None:
        raise RegistryError(f"{platform}/{module}.py has no {name}")
    return member
