"""Plans as data: every stage that has limits for them reads a section of one file."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.common import plans
from services.common.settings import SettingsError
from services.ingest.domain.quotas import Quota


def number(row: Mapping[str, int]) -> int:
    return row["number"]


def file(folder: Path, text: str) -> str:
    path = folder / "plans.toml"
    path.write_text(text)
    return str(path)


def test_an_unknown_plan_includes_what_the_first_does(tmp_path: Path) -> None:
    found = plans.load("a", number, file(tmp_path, "[a]\nsmall = {number = 1}\nlarge = {number = 2}\n"))
    assert [found.of(plan) for plan in ("small", "large", "unheard of", "")] == [1, 2, 1, 1]


@pytest.mark.parametrize("text", ["", "[b]\n", "[a]\n", "[a]\nsmall = 1\n", "[a]\nsmall = {}\n", "[a\n", "a = 1\n"])
def test_a_file_that_does_not_say_it_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"plans\.toml: \[a\]"):
        plans.load("a", number, file(tmp_path, text))


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        plans.load("a", number, str(tmp_path / "none"))


@pytest.mark.parametrize(
    "row",
    ["media = 1, bytes = 1", "media = 1, bytes = 1, uploads = 1, more = 1", "media = 0, bytes = 1, uploads = 1",
     "media = 1.5, bytes = 1, uploads = 1", "media = true, bytes = 1, uploads = 1"],
)  # fmt: skip
def test_a_quota_says_each_number_and_no_other(tmp_path: Path, row: str) -> None:
    with pytest.raises(SettingsError):
        plans.load("quota", Quota.of, file(tmp_path, f"[quota]\nfree = {{{row}}}\n"))


def test_the_shipped_plans_grow() -> None:
    shipped = plans.load("quota", Quota.of)
    for less, more in (("free", "pro"), ("pro", "business")):
        assert shipped.of(less).media < shipped.of(more).media
        assert shipped.of(less).bytes < shipped.of(more).bytes
        assert shipped.of(less).uploads < shipped.of(more).uploads
    assert shipped.of("unheard of") == shipped.of("free")
