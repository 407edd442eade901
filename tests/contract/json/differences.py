"""How two answers to one request differ, as a row of a table.

Three things hold of all answers and would fill it: what is null at the gateway is not there at the port, 64-bit numbers
are texts there, and what Envoy itself refuses has no code. Only cases marked raw tell them.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.common.public_json import JSON, dumps
from tests.contract.json.sides import Case, Seen


def row(case: Case, gateway: Seen, port: Seen) -> str | None:
    """A row of the table in docs/json-transcoding.md; None: there is no difference."""
    if not case.raw:
        port = replace(port, told=_as_told(gateway.told, port.told))
        gateway = replace(gateway, told=_without_null(gateway.told))
        if port.error == "" and port.status == gateway.status and gateway.asked == port.asked:
            return None
    if gateway == port:
        return None
    answers = _differing(gateway.told, port.told)
    requests = _differing(gateway.asked, port.asked)
    cells = [_cell(*it) for it in zip((gateway, port), (port, gateway), answers, requests, strict=True)]
    return f"| {case.name} | {' | '.join(cells)} |"


def _cell(seen: Seen, other: Seen, answer: str, request: str) -> str:
    words = [str(seen.status), *(f"`{word}`" for word in (seen.error, *seen.fields) if word)]
    told = " ".join([*words, answer]).strip()
    if (seen.asked is None) != (other.asked is None):
        told += "; the stage is asked" if seen.asked is not None else ""
    elif request:
        told += f"; the stage is asked {request}"
    return told.replace("|", "\\|")


def _without_null(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value


def _as_told(gateway: JSON, port: JSON) -> JSON:
    """The port's value, with numbers for texts where the gateway has the same number."""
    if isinstance(gateway, dict) and isinstance(port, dict):
        return {name: _as_told(gateway.get(name), item) for name, item in port.items()}
    if isinstance(gateway, list) and isinstance(port, list) and len(gateway) == len(port):
        return [_as_told(*items) for items in zip(gateway, port, strict=True)]
    return gateway if type(gateway) is int and port == str(gateway) else port


def _differing(one: JSON, other: JSON) -> tuple[str, str]:
    """The members that are not the same in both, of each; nothing where one of the two is not there."""
    if one is None or other is None:
        return "", ""
    left, right = dict(_leaves(one)), dict(_leaves(other))
    names = [name for name in dict.fromkeys((*left, *right)) if left.get(name) != right.get(name)]
    return _listed(left, names), _listed(right, names)


def _listed(leaves: dict[str, str], names: list[str]) -> str:
    return ", ".join(f"`{name}: {leaves[name]}`" if name in leaves else f"no `{name}`" for name in names)


def _leaves(value: JSON, path: str = "") -> Iterator[tuple[str, str]]:
    """Name and JSON text of all that has no members."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, dumps(value).decode()
