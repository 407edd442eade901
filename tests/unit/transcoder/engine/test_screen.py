"""Colours of other screens on an ordinary one, held against the standards' own figures."""

import numpy as np
import pytest

from services.transcoder.engine import screen
from services.transcoder.engine.screen import HLG, PQ, STEPS, WHITE_NITS

BT709, BT2020, P3 = 1, 9, 12
# Of signals, by BT.2100 and BT.2408: nits on a screen of 1,000.
PQ_NITS = {0.0: 0.0, 0.15: 1.0, 0.38: 26.0, 0.58: 203.0}
HLG_NITS = {0.0: 0.0, 0.38: 26.0, 0.75: 203.0}


def greys(primaries: int, transfer: int) -> list[float]:
    """What becomes of them, from black to white."""
    cube = screen.table(primaries, transfer).reshape(STEPS, STEPS, STEPS, 3)
    found = np.array([cube[n, n, n] for n in range(STEPS)])
    assert np.ptp(found, axis=1).max() < 1e-6, "they are tinted"
    return [float(one) for one in found[:, 0]]


def at(found: list[float], signal: float) -> float:
    return float(np.interp(signal, np.linspace(0, 1, STEPS), found))


def test_only_other_screens_need_a_table() -> None:
    assert all(screen.is_ordinary(*one) for one in ((1, 1), (5, 1), (6, 6), (1, 13)))
    assert not any(
        screen.is_ordinary(*one) for one in ((BT2020, 14), (P3, 1), (BT2020, PQ), (BT2020, HLG), (BT709, HLG))
    )


@pytest.mark.parametrize(("transfer", "nits"), [(PQ, PQ_NITS), (HLG, HLG_NITS)], ids=["PQ", "HLG"])
def test_dark_and_middle_tones_are_as_bright_as_they_were(transfer: int, nits: dict[float, float]) -> None:
    found = greys(BT2020, transfer)
    assert found == sorted(found)
    for signal, bright in nits.items():
        if bright < 90:
            assert at(found, signal) == pytest.approx((bright / WHITE_NITS) ** (1 / 2.4), abs=0.02)


@pytest.mark.parametrize(("transfer", "white", "peak"), [(PQ, 0.58, 0.752), (HLG, 0.75, 1.0)], ids=["PQ", "HLG"])
def test_white_leaves_room_for_what_is_brighter(transfer: int, white: float, peak: float) -> None:
    found = greys(BT2020, transfer)
    assert 0.87 < at(found, white) < 0.93
    assert at(found, white) + 0.05 < at(found, (white + peak) / 2) < 1
    assert at(found, peak) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("primaries", [BT2020, P3])
def test_wide_colours_of_ordinary_range_keep_white_black_and_hue(primaries: int) -> None:
    found = greys(primaries, BT709)
    assert found == pytest.approx(list(np.linspace(0, 1, STEPS)), abs=1e-6)
    red, green, _ = screen.table(primaries, BT709).reshape(STEPS, STEPS, STEPS, 3)[0, 0, -1]
    assert red > 0.95
    assert green < 0.35


def test_a_colour_every_screen_has_is_calculated_as_the_standard_does() -> None:
    n = 20
    stored = np.array([n, n // 2, n // 2]) / (STEPS - 1)
    # Rec. ITU-R BT.2407, 2.2.
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    expected = (np.array(matrix) @ stored**2.4) ** (1 / 2.4)
    found = screen.table(BT2020, BT709).reshape(STEPS, STEPS, STEPS, 3)[n // 2, n // 2, n]
    assert found == pytest.approx(expected, abs=0.001)
