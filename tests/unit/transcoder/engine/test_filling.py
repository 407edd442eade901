"""Films of fewer bytes than a platform takes are filled up to what it takes, and play as before."""

from pathlib import Path

import av
import pytest

from services.platforms import catalog
from services.transcoder.domain.work import Status, WorkRequest
from services.transcoder.engine import padding, work
from tests import media

LEAST = catalog.presets("video")["linkedin.video"].limits.min_bytes or 0


def played(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path), "r", format="mp4") as film:
        return [(packet.pts, bytes(packet)) for packet in film.demux() if packet.size]


def test_a_film_of_too_few_bytes_is_filled_for_the_platform_that_asks_for_more(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(media.film(320, 180, seconds=3.2, options={"preset": "ultrafast", "crf": "45"}))
    (tmp_path / "made").mkdir()
    request = WorkRequest(
        source=str(tmp_path / "source"), content_type="video/mp4", kind="video", presets=("linkedin.video", "x.video")
    )
    filled, plain = work.do(request, tmp_path / "made").renditions
    assert (filled.status, plain.status) == (Status.READY, Status.READY)
    assert filled.digest != plain.digest
    assert plain.size_bytes < LEAST == filled.size_bytes
    assert (tmp_path / "made" / str(filled.file)).stat().st_size == LEAST
    assert played(tmp_path / "made" / str(filled.file)) == played(tmp_path / "made" / str(plain.file))


@pytest.mark.parametrize(("lacking", "behind"), [(1, 8), (7, 8), (8, 8), (9, 9), (300, 300)])
def test_what_is_put_behind_is_one_whole_box(lacking: int, behind: int, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"a film")
    assert padding.pad(tmp_path / "film", 6 + lacking, tmp_path / "out") == 6 + behind
    box = (tmp_path / "out").read_bytes().removeprefix(b"a film")
    assert (len(box), box[:4], box[4:8], box[8:].strip(b"\0")) == (behind, behind.to_bytes(4, "big"), b"free", b"")
