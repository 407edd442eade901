"""The tree keeps its promises: who may import whom, and where a platform may be named."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "services"
STAGES = ("ingest", "scanner", "transcoder", "publisher", "gateway")
EDGES = ("grpc", "nats", "boto3", "botocore", "sqlalchemy", "psycopg", "os", "time")
# The parts of a stage that know no transport and no clock.
INNER = ("domain", "ports", "app")


def imports(path: Path) -> Iterator[str]:
    """Names of the modules a file imports, those for type checkers only left out."""
    tree = ast.parse(path.read_text())
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def problems(path: Path, parts: tuple[str, ...]) -> list[str]:
    """What a file of services/ imports although it may not. parts: its path below services/."""
    found = []
    owner, room = parts[0], parts[1].removesuffix(".py") if len(parts) > 1 else ""
    for name in imports(path):
        top, _, rest = name.partition(".")
        other = rest.split(".")[0] if top == "services" else ""
        if other in STAGES and other != owner:
            found.append(f"{path}: {owner} imports {name}")
        if owner in STAGES and room in INNER and top in EDGES:
            found.append(f"{path}: {room} imports {name}")
        if owner in STAGES and room in ("domain", "ports") and top == "mediaapi":
            found.append(f"{path}: {room} imports {name}")
    return found


FILES = [pytest.param(path, id=str(path.relative_to(SERVICES))) for path in sorted(SERVICES.rglob("*.py"))]


@pytest.mark.parametrize("path", FILES)
def test_imports_go_one_way(path: Path) -> None:
    assert problems(path, path.relative_to(SERVICES).parts) == []


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("ingest/domain/x.py", "import os"),
        ("ingest/app/x.py", "from sqlalchemy import text"),
        ("scanner/rpc.py", "from services.ingest.ports import Ref"),
        ("common/x.py", "from services.gateway import app"),
        ("ingest/ports.py", "from mediaapi.v1 import media_pb2"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, place: str, code: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(code)
    assert problems(path, tuple(place.split("/")))


# Names of platforms that mean something else there: an encoder has threads.
ALSO_WORDS = {("threads", "encoder.py")}


def test_a_platform_is_named_in_its_own_folder_only() -> None:
    platforms = [path.parent.name for path in (SERVICES / "platforms").glob("*/publish.py")]
    assert platforms
    named = [
        f"{path.relative_to(ROOT)}: {platform}"
        for platform in platforms
        for suffix in ("py", "proto", "yaml")
        for root in (SERVICES, ROOT / "proto" / "mediaapi")
        for path in root.rglob(f"*.{suffix}")
        if path.parent.name != platform and f'"{platform}"' in _code(path)
        if (platform, path.name) not in ALSO_WORDS
    ]
    assert named == []


def _code(path: Path) -> str:
    """Without comments, which may give examples."""
    mark = "//" if path.suffix == ".proto" else "#"
    return "\n".join(line.split(mark)[0] for line in path.read_text().splitlines())


@pytest.mark.parametrize("path", sorted(SERVICES.glob("*/__main__.py")), ids=lambda path: path.parent.name)
def test_entry_points_only_wire(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
