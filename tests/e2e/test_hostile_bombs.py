"""Little that would become much, and files cut short: refused in the answer, with the code that says what is wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.common.errors import Code
from services.ingest.domain import formats
from tests.hostile.attacker import Attacker
from tests.hostile.samples import CONTENT_TYPES, sample
from tests.unit.scanner.structure import test_walking_films, test_walking_heif, test_walking_pictures


def one_of_each_row_and_type() -> Iterator[Any]:
    """Of the bombs that the walkers are tested with: the others differ only to a walker."""
    seen = set()
    for module in (test_walking_pictures, test_walking_heif, test_walking_films):
        for bomb in module.BOMBS:
            content_type, data, _ = bomb.values
            row = (bomb.id or "").partition("-")[0]
            found = formats.sniff(data[: formats.SNIFF_BYTES])
            as_called = found is not None and found.content_type == content_type
            if row[1:].isdecimal() and as_called and (row, content_type) not in seen:
                seen.add((row, content_type))
                yield pytest.param(*bomb.values, id=bomb.id)


@pytest.mark.parametrize(("content_type", "data", "code"), list(one_of_each_row_and_type()))
def test_a_bomb_is_refused_with_what_is_too_much(
    attacker: Attacker, content_type: str, data: bytes, code: Code
) -> None:
    outcome = attacker.sends(data, "a.mp4", kind=content_type.partition("/")[0])
    assert (outcome.status, outcome.code) == (422, code)


@pytest.mark.parametrize("content_type", [pytest.param(one, id=f"A9-{one}") for one in CONTENT_TYPES])
def test_a_file_cut_short_is_damaged(attacker: Attacker, content_type: str) -> None:
    whole = sample(content_type)
    outcomes = [attacker.sends(whole[: len(whole) * tenths // 10]) for tenths in (2, 5, 7, 9)]
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {(422, "media_corrupt")}
