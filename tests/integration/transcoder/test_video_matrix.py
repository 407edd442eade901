"""Whatever a phone, camera or editor writes, for every preset: each output opened, decoded to its end, and held against
its preset's numbers; and what it shows is what the source showed, at the same time."""

import io
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from services.platforms import catalog
from services.platforms.catalog import Preset
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.work import How, Rendition, Status, WorkResult
from tests.integration.transcoder.charts import BT601, COLORS, Film, Seen, evenly, make, read
from tests.integration.transcoder.workbench import Bench

X264 = {"preset": "ultrafast", "crf": "18"}
X265 = {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=error"}
NTSC = Fraction(30000, 1001)


@dataclass(frozen=True, slots=True)
class Case:
    """A film, and what its encoded renditions look like. fps: frames a second; off: how far colours may be."""

    film: Film
    fps: Fraction | int
    how: How = How.ENCODE
    off: int = 14


def uneven(fps: int, seconds: float) -> list[Fraction]:
    """A phone's frames: each a little early or late, and now and then one missing."""
    random = np.random.default_rng(5)
    times = [at for n, at in enumerate(evenly(fps, seconds)) if n % 11 != 7]
    return [times[0], *(at + Fraction(int(random.integers(-6, 7)), 1000) for at in times[1:])]


CASES = {
    "compliant": Case(
        Film((426, 240), evenly(25, 4.2), options={"preset": "veryfast", "g": "50", "flags": "+cgop"}), 25, How.REMUX
    ),
    "a-phones-hevc": Case(
        Film((360, 640), evenly(30, 4.2), "libx265", X265, container="mov", turn=1), 30
    ),
    "two-sizes-upright": Case(Film((800, 1422), evenly(24, 3), options=X264, turn=3), 24),
    "upside-down-ntsc": Case(Film((426, 240), evenly(NTSC, 2), options=X264, turn=2), NTSC),
    "vp9-odd-size": Case(
        Film((427, 241), evenly(30, 2), "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "20"},
             container="webm", sound_codec="libopus"), 30,
    ),
    "av1-5.1": Case(
        Film((426, 240), evenly(25, 2), "libsvtav1", {"preset": "12", "crf": "20"}, container="mp4", sound="5.1"), 25
    ),
    "prores-10-bit-4:2:2": Case(
        Film((426, 240), evenly(24, 1), "prores_ks", {"profile": "0"}, pix_fmt="yuv422p10le", container="mov",
             sound_codec="pcm_s16le"), 24,
    ),
    "hevc-10-bit-mono": Case(Film((426, 240), evenly(25, 2), "libx265", X265, "yuv420p10le", sound="mono"), 25),
    "uneven": Case(Film((426, 240), uneven(30, 4.2), options=X264, container="mov"), NTSC),
    "wide-pixels-between-lines": Case(
        Film((512, 288), evenly(25, 2), options=X264 | {"x264-params": "tff=1"}, squeeze=Fraction(64, 45),
             interlaced=True, container="mov"), 25,
    ),
    "dvd-colours-unsaid": Case(
        Film((640, 480), evenly(25, 1), "mpeg4", {"b": "4000000"}, matrix=BT601, said=False, sound=None), 25
    ),
    "dvd-colours-said": Case(Film((640, 480), evenly(25, 1), options=X264, matrix=BT601, sound=None), 25),
    "far-between-keys": Case(Film((256, 144), evenly(24, 6), options=X264 | {"g": "1000"}), 24),
    "60-a-second": Case(Film((426, 240), evenly(60, 2), "libx265", X265), 60),
    "120-a-second": Case(Film((426, 240), evenly(120, 1), options=X264, sound=None), 60),
    "12-a-second-mpeg4": Case(Film((426, 240), evenly(12, 3), "mpeg4", {"b": "2000000"}, sound_codec="ac3"), 24),
    "hlg": Case(Film((426, 240), evenly(25, 1), "libx265", X265, "yuv420p10le", "mov", hdr="hlg"), 25),
    "pq": Case(Film((426, 240), evenly(25, 1), "libx265", X265, "yuv420p10le", hdr="pq"), 25),
}  # fmt: skip


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[SandboxedEngine]:
    async with SandboxedEngine() as started:
        yield started


@pytest.mark.parametrize("name", CASES)
async def test_every_film_as_every_preset(name: str, engine: SandboxedEngine, tmp_path: Path) -> None:
    case, bench = CASES[name], Bench(engine, tmp_path)
    kind = {"mov": "video/quicktime", "webm": "video/webm"}.get(case.film.container, "video/mp4")
    result = await bench.run(make(case.film), kind)
    assert abs(result.probe.width - case.film.size[0]) <= 1
    assert (result.probe.height, result.probe.hdr) == (case.film.size[1], case.film.hdr)
    played: dict[str, Played] = {}
    for rendition in result.renditions:
        preset = catalog.presets("video")[rendition.preset]
        if rendition.status is Status.REJECTED:
            assert is_just(preset, rendition.reason, case.film), rendition
            continue
        data = bench.read(rendition)
        assert (preset.limits.min_bytes or 0) <= len(data) == rendition.size_bytes <= preset.limits.max_bytes
        if preset.makes == "image":
            check_cover(data, rendition, preset, case)
            continue
        assert rendition.file
        if rendition.file not in played:
            played[rendition.file] = Played(data)
            shows_what_was_shown(played[rendition.file], case)
        obeys(played[rendition.file], rendition, preset, case)
    assert_shared(result, played, case)


def whole(preset: Preset, name: str) -> int:
    value = preset.params[name]
    assert isinstance(value, int)
    return value


def is_just(preset: Preset, reason: str | None, film: Film) -> bool:
    """Whether the preset's own numbers say so."""
    limits, (width, height) = preset.limits, film.size
    shapes = ((limits.min_aspect or 0) > width / height * 0.99, (limits.max_aspect or 99) < width / height * 1.01)
    return {
        "duration_too_short": film.seconds < (limits.min_duration_s or 0),
        "dimensions_too_small": min(film.size) < (limits.min_edge_px or 0),
        "aspect_unsupported": any(shapes),
    }.get(reason or "", False)


class Played:
    """A film as a player has it, to its last frame and sample."""

    def __init__(self, data: bytes) -> None:
        self.boxes = boxes(data)
        self.edits = b"elst" in data[: self.boxes["mdat"][0]]
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            self.tracks = sorted(stream.type for stream in film.streams)
            self.metadata = {key: value for key, value in film.metadata.items() if "brand" not in key}
            packets = [one for one in film.demux(video=0) if one.size]
            self.keys = [seconds(one) for one in packets if one.is_keyframe]
            self.peak_bps = peak_bps(packets)
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            video = film.streams.video[0]
            self.profile, self.codec, self.rate = (
                video.codec_context.profile,
                video.codec_context.name,
                video.average_rate,
            )
            self.level = (video.codec_context.extradata or b"")[3]
            self.ratio = video.sample_aspect_ratio
            frames = list(film.decode(video))
            self.looks = {look(one) for one in frames}
            self.seen: list[Seen] = [read(one) for one in frames]
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            self.sound: av.AudioCodecContext | None = None
            self.loud, self.heard_s = 0.0, 0.0
            for piece in film.decode(audio=0) if "audio" in self.tracks else ():
                self.sound = film.streams.audio[0].codec_context
                self.loud = max(self.loud, float(np.abs(piece.to_ndarray()).max()))
                self.heard_s = (piece.time or 0.0) + piece.samples / piece.sample_rate

    @property
    def size(self) -> tuple[object, object]:
        width, height, *_ = next(iter(self.looks))
        return width, height

    @property
    def filled(self) -> bool:
        at, _ = self.boxes.get("free", (0, 0))
        return at > self.boxes["mdat"][0]


def look(frame: av.VideoFrame) -> tuple[object, ...]:
    """What must be alike in all frames, from its size on."""
    colors = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    return (frame.width, frame.height, frame.format.name, *map(int, colors), frame.rotation, frame.interlaced_frame)


def boxes(data: bytes) -> dict[str, tuple[int, int]]:
    """The outermost boxes: where each begins, and its size."""
    found, at = {}, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        found[data[at + 4 : at + 8].decode()] = (at, size)
        at += size
    return found


def seconds(packet: "av.Packet[av.VideoStream]") -> float:
    assert packet.pts is not None
    assert packet.time_base is not None
    return float(packet.pts * packet.time_base)


def peak_bps(packets: list["av.Packet[av.VideoStream]"]) -> float:
    """Bits in the busiest second."""
    sums: Counter[int] = Counter()
    for one in packets:
        sums[int(seconds(one))] += one.size * 8
    return max(sums.values())


def obeys(film: Played, rendition: Rendition, preset: Preset, case: Case) -> None:
    """Everything a preset's numbers say, and everything all of them promise."""
    limits = preset.limits
    assert rendition.how is case.how
    assert film.boxes["moov"][0] < film.boxes["mdat"][0]
    assert not film.edits
    assert set(film.boxes) <= {"ftyp", "moov", "mdat", "free"}
    assert film.tracks == (["audio", "video"] if case.film.sound else ["video"])
    assert not set(film.metadata) & {"location", "comment", "title", "creation_time"}
    assert (film.codec, film.profile, len(film.looks)) == ("h264", "High", 1)
    assert film.level <= 42
    width, height = rendition.width, rendition.height
    assert film.looks == {(width, height, "yuv420p", 1, 1, 1, 1, 0, False)}
    assert film.ratio in (None, 0, 1)
    assert max(width, height) <= min(whole(preset, "long_px"), limits.max_edge_px or 9999)
    assert min(width, height) <= whole(preset, "short_px")
    assert width <= (limits.max_width_px or 9999)
    assert abs(width / height / (case.film.size[0] / case.film.size[1]) - 1) < 0.01
    assert width <= case.film.size[0] + 1
    times = [one.at_s for one in film.seen]
    gaps = {round(b - a, 3) for a, b in pairwise(times)}
    step = float(1 / Fraction(case.fps))
    assert times[0] == 0.0
    assert all(abs(gap - step) <= 0.001 for gap in gaps), gaps
    assert (limits.min_fps or 0) <= 1 / step + 0.01 <= (limits.max_fps or 60) + 0.02
    assert abs(len(times) * step - case.film.seconds) <= 1.5 * step
    assert abs(rendition.duration_s - case.film.seconds) <= 1.5 * step
    assert film.keys[0] == 0.0
    assert max(np.diff([*film.keys, times[-1]]), default=0) <= 2.0 + step
    if case.how is How.ENCODE:
        # Within the two seconds its buffer holds.
        assert film.peak_bps <= 3 * 1000 * whole(preset, "max_kbps") * (1.5 if case.fps > 31 else 1)
    if case.film.sound:
        assert film.sound
        assert (film.sound.name, film.sound.profile, film.sound.sample_rate) == ("aac", "LC", 48_000)
        assert film.sound.channels == 2
        assert 0.1 < film.loud < 0.9
        assert abs(film.heard_s - case.film.seconds) < 0.1


def shows_what_was_shown(film: Played, case: Case) -> None:
    """The chart's colours in their places, and its bar where it stood at that moment."""
    shown = np.array([float(at) for at in case.film.times])
    for one in film.seen[2:-2]:
        for color, seen in zip(COLORS, one.colors, strict=True):
            assert max(abs(a - b) for a, b in zip(color, seen, strict=True)) <= case.off, (color, seen)
        last = int(np.searchsorted(shown, one.at_s + 0.001, "right")) - 1
        parts = shown[last : last + 2] / case.film.seconds
        assert np.abs(parts - one.part).min() <= 0.012, (one, parts)
    if case.film.interlaced:
        assert max(one.combed for one in film.seen) < 3


def check_cover(data: bytes, rendition: Rendition, preset: Preset, case: Case) -> None:
    """The same shape and colours as the film, within its box."""
    still = cover(data)
    assert (still.width, still.height) == (rendition.width, rendition.height)
    assert still.width <= whole(preset, "max_width_px")
    assert still.height <= whole(preset, "max_height_px")
    assert abs(still.width / still.height / (case.film.size[0] / case.film.size[1]) - 1) < 0.02
    colors = still.to_ndarray(format="rgb24")
    for color, (across, down) in zip(COLORS, ((0.25, 0.2), (0.75, 0.2), (0.25, 0.8), (0.75, 0.8)), strict=True):
        seen = colors[int(still.height * down), int(still.width * across)].astype(int)
        assert max(abs(a - b) for a, b in zip(color, seen, strict=True)) <= case.off, (color, seen)


@cache
def cover(data: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as still:
        return next(still.decode(video=0))


def assert_shared(result: WorkResult, played: dict[str, Played], case: Case) -> None:
    """No more films than there are sizes, but for those that were filled up to a platform's least."""
    assert played or all(one.status is Status.REJECTED for one in result.renditions if "cover" not in one.preset)
    filled = [film for film in played.values() if film.filled]
    assert len({film.size for film in played.values()}) == len(played) - len(filled)
    assert len(played) - len(filled) == (2 if min(case.film.size) > 720 else 1)


@pytest.mark.parametrize("at_s", [0.0, 1.3, 2.96, 99.0])
async def test_a_cover_shows_the_moment_asked_for(at_s: float, engine: SandboxedEngine, tmp_path: Path) -> None:
    film = Film((426, 240), evenly(25, 3), options=X264 | {"g": "250"}, sound=None)
    bench = Bench(engine, tmp_path)
    result = await bench.run(make(film), "video/mp4", "cover", cover_at_s=at_s)
    part = read(cover(bench.read(result.renditions[0]))).part
    wanted = min(at_s, 2.96) / film.seconds
    assert abs(part - wanted) < 0.01
