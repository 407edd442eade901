"""What the pages for operators name is there: values, series, commands, panels, files."""

import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from deploy.local.state import REPOSITORY
from deploy.monitoring.rows import ROWS
from services.admin.cli import GROUPS
from tests.chart.rendered import chart

_SERIES = re.compile(r"(?:dependency|events|gateway|ingest|publisher|rpc|scanner|transcoder|waiting)_[a-z_]+")
# Of a histogram or a counter, what the client library adds.
_ENDINGS = re.compile(r"_(?:bucket|count|sum|total)$")
# Steps, consumers and the like are written as series are. Keys of Secrets are made of a stage's name.
_PASSWORD = re.compile(r"[a-z]+_password")
RUNBOOKS = sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))


def listed(*patterns: str) -> list[Path]:
    """Files of the repository."""
    found = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return [REPOSITORY / name for name in found.split("\0") if name]


PAGES = [page for page in listed("*.md") if page.relative_to(REPOSITORY).parts[0] in ("README.md", "docs", "deploy")]
TEXTS = {page: page.read_text() for page in PAGES}


def code() -> Iterator[tuple[str, str]]:
    """Page, and what it shows as code within a line."""
    for page, text in TEXTS.items():
        for word in re.findall(r"`([^`\n]+)`", text):
            yield page.name, word


def test_every_value_is_one_of_the_chart() -> None:
    def there(inner: Any, steps: list[str]) -> bool:
        if not steps or steps[0] == "env":  # whose names are held against the programs' settings
            return True
        if not isinstance(inner, dict):
            return False
        if steps[0].startswith("<"):
            return any(there(one, steps[1:]) for one in inner.values())
        return steps[0] in inner and there(inner[steps[0]], steps[1:])

    values = chart().values
    named = {
        (page, word)
        for page, word in code()
        if re.fullmatch(r"\w+(\.[\w<>]+)+", word) and word.split(".")[0] in values and not word.endswith(".hdb")
    }
    assert len(named) > 20
    assert [one for one in named if not there(values, one[1].split("."))] == []


def test_every_series_step_and_consumer_is_told() -> None:
    told = "".join(path.read_text() for path in listed("services/*.py", "deploy/*.py", "deploy/*.yaml"))
    named = {(page, word) for page, word in code() if _SERIES.fullmatch(word) and not _PASSWORD.fullmatch(word)}
    assert len(named) > 50
    assert [(page, word) for page, word in named if _ENDINGS.sub("", word) not in told] == []


def test_every_command_is_one_there_is() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    made = {(page, word.split()[1]) for page, word in code() if re.match(r"make [a-z]", word)}
    assert len(made) > 10
    assert [one for one in made if one[1] not in targets] == []
    asked = {
        (page.name, group, command)
        for page, text in TEXTS.items()
        for group, command in re.findall(r"lmp-admin ([a-z-]+) ([a-z-]+)", text)
    }
    assert len(asked) > 10
    for page, group, command in asked:
        assert command in {one.name for one in import_module(GROUPS[group].module).COMMANDS[group]}, (page, group)


def test_every_file_and_every_page_that_is_pointed_at_is_there() -> None:
    folders = ("bench", "deploy", "docs", "proto", "sdk", "services", "tests")
    files = {(page, word) for page, word in code() if re.fullmatch(rf"(?:{'|'.join(folders)})/[a-z0-9_./-]+", word)}
    assert len(files) > 30
    assert [one for one in files if not (REPOSITORY / one[1]).exists()] == []
    links = {
        (page, target)
        for page, text in TEXTS.items()
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if not target.startswith("http")
    }
    assert len(links) > 50
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_row_and_panel_is_on_the_dashboard(page: Path) -> None:
    text = page.read_text()
    rows = {row.title for row in ROWS}
    panels = {panel.title for row in ROWS for panel in row.panels}
    legends = {legend for row in ROWS for panel in row.panels for legend, _ in panel.queries}
    assert {name for name in re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text) if name not in rows | panels} == set()
    assert {name for name in re.findall(r'"([A-Z][^"\n]+)"', text) if name not in panels | legends} == set()
