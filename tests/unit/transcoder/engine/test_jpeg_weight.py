"""What a picture weighs as JPEG is known before it is encoded, nearly."""

import io

import pytest

from services.transcoder.engine.jpeg_weight import Weight
from services.transcoder.engine.planes import Planes
from tests import media  # whose pictures' grain is harsher than any camera's

QUALITIES = (88, 80, 70, 55, 40)


def encoded(planes: Planes, quality: int) -> int:
    buffer = io.BytesIO()
    planes.encodable().save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return len(buffer.getvalue())


@pytest.mark.parametrize("noise", [4, 12, 40])
@pytest.mark.parametrize("size", [(1200, 900), (901, 1203)])
def test_nearly_and_more_nearly_once_it_was_met(size: tuple[int, int], noise: int) -> None:
    planes = Planes.of(media.picture(*size, seed=1, noise=noise))
    weight, sizes = Weight(planes), {quality: encoded(planes, quality) for quality in QUALITIES}
    assert all(abs(weight.expected(quality) / sizes[quality] - 1) < 0.3 for quality in QUALITIES)
    weight.learn(88, sizes[88])
    assert weight.expected(88) == pytest.approx(sizes[88])
    assert all(abs(weight.expected(quality) / sizes[quality] - 1) < 0.2 for quality in QUALITIES)
    assert abs(weight.expected(80) / sizes[80] - 1) < 0.1
    smaller = planes.resized((size[0] * 9 // 10, size[1] * 9 // 10))
    other = Weight(smaller)
    other.learn_from(weight)
    assert abs(other.expected(80) / encoded(smaller, 80) - 1) < 0.1


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (17, 8)])
def test_of_a_picture_smaller_than_a_block(size: tuple[int, int]) -> None:
    weight = Weight(Planes.of(media.picture(*size, seed=1)))
    found = [weight.expected(quality) for quality in QUALITIES]
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0
