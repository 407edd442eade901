"""Whatever the bytes: a verdict, soon, and the same however they come. The long run is `make fuzz`."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.scanner.structure.walking import WALKERS
from tests.fuzz import targets
from tests.fuzz.mutations import mutated

TYPES = targets.content_types()
BOUNDED = settings(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_type_that_has_a_walker_has_seeds() -> None:
    assert sorted(WALKERS) == TYPES


@pytest.mark.parametrize("content_type", TYPES)
def test_kept_seeds_get_a_verdict_in_any_pieces(content_type: str) -> None:
    for data in targets.seeds(content_type):
        assert len(data) < 16_384
        for chunk_bytes in (1, 7, 64, 1000):
            targets.check(content_type, data, chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("content_type", TYPES)
def test_changed_files_get_a_verdict(content_type: str) -> None:
    kept = list(targets.seeds(content_type))

    @BOUNDED
    @given(st.randoms(use_true_random=False))
    def run(chance: random.Random) -> None:
        targets.check(content_type, mutated(kept, chance), chunk_bytes=chance.choice((1, 5, 64)))

    run()


@pytest.mark.parametrize("content_type", TYPES)
def test_any_bytes_behind_a_beginning_get_a_verdict(content_type: str) -> None:
    kept = list(targets.seeds(content_type))

    @BOUNDED
    @given(st.sampled_from(kept), st.integers(0, 400), st.binary(max_size=400))
    def run(seed: bytes, cut: int, behind: bytes) -> None:
        targets.check(content_type, seed[:cut] + behind)

    run()
