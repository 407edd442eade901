"""A secret is never compared by == or !=, which tell by their time how much of a guess is right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[2] / "services"
# As the last words of a name: `key.digest` is one, `token_count` is not.
SECRETS = re.compile(
    r"(^|[_-])(secret|token|password|pepper|signature|signed|mac|hmac|digest|checksum|credentials?)s?$"
)
# Names of the kind that are no secrets, by the file that has them. (What is written in capitals is in the source.)
HARMLESS = {
    ("transcoder/app/adopting.py", "preset_digest"): "names a rule of the catalog",
    ("transcoder/app/ensuring.py", "preset_digest"): "names a rule of the catalog",
    ("transcoder/app/ensuring.py", "digest"): "names a rule of the catalog",
    ("transcoder/domain/item.py", "preset_digest"): "names a rule of the catalog",
    ("transcoder/domain/item.py", "digest"): "names a rule of the catalog",
}
FILES = [pytest.param(path, id=f"S5-{path.relative_to(SERVICES)}") for path in sorted(SERVICES.rglob("*.py"))]


def words(side: ast.expr) -> Iterator[str]:
    """The names whose values a side of a comparison is made of; of a call, those of what is called."""
    match side:
        case ast.Name(id=name):
            yield name
        case ast.Attribute(attr=name):
            yield name
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            yield name
            yield from words(value)
        case ast.Call(func=ast.Name(id=name)) if name != "len":
            yield name
        case ast.Subscript(value=value, slice=index):
            if isinstance(index, ast.Constant) and isinstance(index.value, str):
                yield index.value
            yield from words(value)
        case ast.BinOp(left=left, right=right):
            yield from words(left)
            yield from words(right)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                yield from words(element)


def compared(code: str) -> set[str]:
    """Names of secrets that meet == or != in `code`; a comparison with a literal tells nothing of one."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Compare) or not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if not any(isinstance(side, ast.Constant) for side in sides):
            found |= {word for side in sides for word in words(side) if SECRETS.search(word) and not word.isupper()}
    return found


@pytest.mark.parametrize("path", FILES)
def test_a_secret_is_compared_in_constant_time_only(path: Path) -> None:
    place = str(path.relative_to(SERVICES))
    assert {word for word in compared(path.read_text()) if (place, word) not in HARMLESS} == set()


def test_no_exception_is_left_that_nothing_needs() -> None:
    assert {(place, word) for place, word in HARMLESS if word not in compared((SERVICES / place).read_text())} == set()


@pytest.mark.parametrize(
    "code",
    [
        "token == given",
        "given != self.api_secret",
        "grant.key.digest == digest",
        "hmac.digest(key, body) == signature",
        "keys.digest(pepper, text) != stored",
        "headers['x-signature'][7:] == given",
        "given == row['key_digest']",
        "(one, password) == (two, given)",
        "mac.hexdigest() == given",
    ],
)
def test_a_planted_comparison_is_found(code: str) -> None:
    assert compared(code)


@pytest.mark.parametrize(
    "code", ["compare_digest(token, given)", "len(secret) != 32", "kind == 'token'", "token is None"]
)
def test_what_tells_nothing_is_allowed(code: str) -> None:
    assert not compared(code)
