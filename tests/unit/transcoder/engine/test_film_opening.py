"""What a film is like, where nothing is decoded to open it."""

from pathlib import Path

import pytest

from services.transcoder.engine import measuring
from tests import media


@pytest.mark.parametrize(
    ("codec", "options", "width"),
    [
        pytest.param("libx264", {"x264-params": "sar=4/3"}, 213, id="h264"),
        pytest.param("libx265", {"x265-params": "sar=4:log-level=none"}, 233, id="hevc"),  # H.265's fourth: 16:11
    ],
)
def test_pixels_whose_shape_only_the_pictures_own_headers_tell(
    codec: str, options: dict[str, str], width: int, tmp_path: Path
) -> None:
    made = media.film(160, 90, codec=codec, options={"preset": "ultrafast", **options})
    assert b"pasp" not in made  # where the container would tell it
    path = tmp_path / "film.mp4"
    path.write_bytes(made)
    probe = measuring.probe(path, "video/mp4")
    assert (probe.width, probe.height, probe.square) == (width, 90, False)
