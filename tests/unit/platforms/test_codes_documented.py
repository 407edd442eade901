"""docs/failed-posts.md: every code a platform's module gives, by what helps, and no other."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from services.platforms.bluesky import refusals as bluesky
from services.platforms.ports import Fault
from services.platforms.threads import refusals as threads

SERVICES = Path(__file__).parents[3] / "services"
PAGE = SERVICES.parent / "docs" / "failed-posts.md"
HEADINGS = {
    Fault.TRANSIENT: "What may pass",
    Fault.NOT_READY: "What is not ready",
    Fault.REBUILD: "What was lost",
    Fault.QUOTA: "What is used up",
    Fault.ACCOUNT: "What the account's owner must do",
    Fault.PERMANENT: "What the post's author must do",
}
# Given by the engine, under headings of the page's that faults have.
OURS = {Fault.NOT_READY: {"media_not_ready"}}
# What a PDS without a name of its own answers with.
UNNAMED = {"invalid_request", "payload_too_large"}


def sources() -> Iterator[Path]:
    """Of the publishers, and of the engine."""
    for path in sorted([*(SERVICES / "platforms").rglob("*.py"), *(SERVICES / "publisher").rglob("*.py")]):
        if "sandbox" not in path.name and path.parent.name != "sandboxing":
            yield path


def constants(trees: list[ast.Module]) -> Mapping[str, str]:
    """Names of codes."""
    found: dict[str, str] = {}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                found |= {it.id: str(node.value.value) for it in node.targets if isinstance(it, ast.Name)}
    return {name: text for name, text in found.items() if re.fullmatch("[a-z_]+", text)}


def texts(node: ast.expr, known: Mapping[str, str]) -> list[str]:
    """What an expression in a code's place may be."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in known:
            return [known[name]]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts(body, known), *texts(orelse, known)]
        case _:
            return []


@cache
def given() -> Mapping[Fault, set[str]]:
    """Codes, wherever one stands behind its fault: in a tuple, or among arguments."""
    trees = [ast.parse(path.read_text()) for path in sources()]
    known = constants(trees)
    found: dict[Fault, set[str]] = defaultdict(set)
    for node in (node for tree in trees for node in ast.walk(tree)):
        row = node.elts if isinstance(node, ast.Tuple) else node.args if isinstance(node, ast.Call) else []
        for first, code in pairwise(row):
            if isinstance(first, ast.Attribute) and first.attr in Fault.__members__:
                found[Fault[first.attr]] |= set(texts(code, known))
    for name, fault in bluesky._BY_NAME.items():
        found[fault].add(bluesky._snake(name))
    found[Fault.PERMANENT] |= UNNAMED | set(threads._LASTING.values())
    found[Fault.REBUILD] |= set(threads._PASSING.values())
    return found


def documented() -> Mapping[str, set[str]]:
    """Codes by heading."""
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    rows = {
        name: re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
        for name, _, text in (it.partition("\n") for it in sections)
    }
    return {name: {code for row in found for code in re.findall(r"`(\w+)`", row)} for name, found in rows.items()}


@pytest.mark.parametrize("fault", Fault)
def test_every_code_is_on_the_page_under_what_helps(fault: Fault) -> None:
    assert documented()[HEADINGS[fault]] == given()[fault] | OURS.get(fault, set())


def test_the_engines_own_codes_are_on_the_page() -> None:
    engine = "".join(path.read_text() for path in (SERVICES / "publisher").rglob("*.py"))
    for code in documented()["What we found"]:
        assert f'"{code}"' in engine, code
