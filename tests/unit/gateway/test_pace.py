"""How slow a client may be."""

import pytest

from services.gateway.domain.pace import Pace, Watch

PACE = Pace(gap_s=30, window_s=60, bytes_per_s=16_000)


def told(*pieces: tuple[int, float]) -> list[bool]:
    """Whether it may go on, after each piece of so many bytes that were waited for so long."""
    watch = Watch(PACE)
    return [watch.got(size_bytes, waited_s) for size_bytes, waited_s in pieces]


def test_below_the_pace_for_a_window_is_too_slow() -> None:
    assert told(*[(1, 1.0)] * 60) == [True] * 59 + [False]
    assert told((959_999, 60.0)) == [False]
    assert told((960_000, 60.0)) == [True]


def test_a_fast_beginning_does_not_excuse_the_next_window() -> None:
    assert told((2_000_000, 1.0), *[(1, 1.0)] * 119)[-2:] == [True, False]


def test_only_waiting_counts() -> None:
    assert all(told(*[(100, 0.001)] * 5_000))


@pytest.mark.parametrize(
    ("size_bytes", "waited_s", "patience_s"),
    [(0, 0.0, 30.0), (10, 20.0, 30.0), (10, 45.0, 15.0), (960_000, 59.0, 30.0)],
)
def test_nobody_is_waited_for_longer_than_it_takes_to_know(size_bytes: int, waited_s: float, patience_s: float) -> None:
    watch = Watch(PACE)
    watch.got(size_bytes, waited_s)
    assert watch.patience_s() == patience_s
