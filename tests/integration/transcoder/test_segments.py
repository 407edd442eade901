"""Films that are encoded in segments and joined: as valid as those encoded at once, showing and sounding the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from services.platforms import catalog
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.segments import Cut, Encoded, Segment
from services.transcoder.domain.work import Status, WorkResult
from tests.integration.transcoder.charts import Film, evenly, make
from tests.integration.transcoder.test_video_matrix import (
    CASES,
    X264,
    Case,
    Played,
    obeys,
    shows_what_was_shown,
    uneven,
)
from tests.integration.transcoder.workbench import Bench, by_preset

PRESETS = ("display", "x.video", "cover")
SIZE = (426, 240)
NTSC = Fraction(30000, 1001)
OPEN = {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=error:keyint=20:open-gop=1"}
VP9 = {"deadline": "realtime", "cpu-used": "8", "crf": "20"}
FILMS = {
    "uneven-mov": (CASES["uneven"], Cut(2, 2)),
    "one-key-frame": (Case(Film(SIZE, evenly(24, 6), options=X264 | {"g": "1000"}), 24), Cut(3, 2)),
    "ntsc-turned": (Case(Film(SIZE, evenly(NTSC, 6.5), options=X264 | {"g": "37"}, turn=1), NTSC), Cut(3, 2)),
    "hevc-open-groups": (Case(Film(SIZE, evenly(25, 5), "libx265", OPEN, sound=None), 25), Cut(2, 2)),
    "between-lines": (
        Case(Film((512, 288), evenly(25, 4.6), options=X264 | {"x264-params": "tff=1"}, squeeze=Fraction(64, 45),
                  interlaced=True, container="mov"), 25), Cut(2, 2),
    ),
    "webm-uneven": (
        Case(Film(SIZE, uneven(30, 4.4), "libvpx-vp9", VP9, container="webm", sound_codec="libopus"), NTSC), Cut(2, 2),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[SandboxedEngine]:
    async with SandboxedEngine() as started:
        yield started


class Bits(Bench):
    """One film, encoded at once and in segments."""

    async def at_once(self, film: Film) -> WorkResult:
        self.data, self.kind = (
            make(film),
            {"mov": "video/quicktime", "webm": "video/webm"}.get(film.container, "video/mp4"),
        )
        return await self.run(self.data, self.kind, *PRESETS)

    async def encode(self, cut: Cut) -> Encoded:
        folder = self.folder / "segments"
        folder.mkdir()
        for n in range(cut.of):
            made = await self.run(self.data, self.kind, *PRESETS, segment=Segment(n, cut.of, cut.seconds))
            assert made.renditions == ()
            assert made.segments
            for digest in made.segments:
                (self.scratch / f"{digest}.mp4").rename(folder / Encoded.name(n, digest))
        return Encoded(str(folder), cut.of, cut.seconds)

    async def joined(self, encoded: Encoded) -> WorkResult:
        return await self.run(self.data, self.kind, *PRESETS, encoded=encoded)


def heard(data: bytes, tmp_path: Path) -> list[tuple[int | None, bytes]]:
    (tmp_path / "heard").write_bytes(data)
    with av.open(str(tmp_path / "heard")) as film:
        return [(one.pts, bytes(one)) for one in film.demux(audio=0) if one.size] if film.streams.audio else []


@pytest.mark.parametrize("name", FILMS)
async def test_segments_joined_are_the_film(name: str, engine: SandboxedEngine, tmp_path: Path) -> None:
    (case, cut), bits = FILMS[name], Bits(engine, tmp_path)
    whole = await bits.at_once(case.film)
    bytes_of = {one.preset: bits.read(one) for one in whole.renditions}
    joined = await bits.joined(await bits.encode(cut))
    assert joined.unjoinable == ""
    assert {one.preset: one.digest for one in joined.renditions} == {one.preset: one.digest for one in whole.renditions}
    for preset in ("display", "x.video"):
        rendition = by_preset(joined)[preset]
        data = bits.read(rendition)
        film, once = Played(data), Played(bytes_of[preset])
        obeys(film, rendition, catalog.presets("video")[preset], case)
        shows_what_was_shown(film, case)
        assert [one.at_s for one in film.seen] == [one.at_s for one in once.seen]
        assert max(abs(a.part - b.part) for a, b in zip(film.seen, once.seen, strict=True)) < 0.004
        assert heard(data, tmp_path) == heard(bytes_of[preset], tmp_path)


@pytest.mark.parametrize("harm", ["missing", "cut short", "swapped", "of another size"])
async def test_segments_that_make_no_whole_are_told_and_the_film_is_encoded_at_once(
    harm: str, engine: SandboxedEngine, tmp_path: Path
) -> None:
    case, bits = CASES["uneven"], Bits(engine, tmp_path)
    await bits.at_once(case.film)
    encoded = await bits.encode(Cut(2, 2))
    first, last = sorted(Path(encoded.folder).iterdir())
    if harm == "missing":
        last.unlink()
    elif harm == "cut short":
        last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    elif harm == "swapped":
        first.write_bytes(last.read_bytes())
    else:
        other = Bits(engine, tmp_path / "other")
        other.folder.mkdir()
        made = await other.at_once(replace(case.film, size=(400, 240)))
        last.write_bytes(other.read(by_preset(made)["x.video"]))
    joined = await bits.joined(encoded)
    assert joined.unjoinable
    assert {one.status for one in joined.renditions} == {Status.READY}
    shows_what_was_shown(Played(bits.read(by_preset(joined)["x.video"])), case)
