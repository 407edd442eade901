"""How films are cut, and which."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platforms import catalog
from services.transcoder.domain import cutting
from services.transcoder.domain.segments import Cut, Segment
from tests.unit.transcoder.test_planning import COMPLIANT

RATES = st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(200, 7)])


@given(rate=RATES, of=st.integers(2, 200), groups=st.integers(1, 60))
def test_segments_lie_in_a_row_and_begin_with_a_group(rate: Fraction, of: int, groups: int) -> None:
    cut = Cut(of, 2 * groups)
    found = [Segment(n, cut.of, cut.seconds).frames(rate) for n in range(cut.of)]
    assert found[0][0] == 0
    assert found[-1][1] is None
    for (first, count), (following, _) in pairwise(found):
        assert first + (count or 0) == following
        assert following % round(2 * rate) == 0


@pytest.mark.parametrize(
    ("size", "duration_s", "expected"),
    [
        ((1920, 1080), 119.9, None),
        ((1920, 1080), 120.0, Cut(2, 60)),
        ((1080, 1920), 179.0, Cut(2, 60)),
        ((3840, 2160), 200.0, Cut(3, 60)),
        ((1280, 720), 269.0, None),
        ((1280, 720), 273.0, Cut(2, 136)),
        ((1920, 1080), 3 * 3600.0, Cut(180, 60)),
    ],
)
def test_segments_of_smaller_pictures_are_longer(
    size: tuple[int, int], duration_s: float, expected: Cut | None
) -> None:
    assert cutting.cut(60, *size, duration_s) == expected
    assert cutting.cut(0, *size, duration_s) is None


def test_what_is_copied_or_far_from_key_frames_is_not_cut() -> None:
    videos = catalog.presets("video")
    x, cover = videos["x.video"], videos["cover"]
    hevc = replace(COMPLIANT, codec="hevc", duration_s=130.0)
    assert cutting.pays([cover, x], hevc)
    assert not cutting.pays([cover], hevc)
    assert not cutting.pays([x], replace(hevc, max_key_gap_s=21.0))
    assert not cutting.pays([x], replace(COMPLIANT, duration_s=130.0))
