"""Animations × every preset that makes a film of them: each decoded to its last frame, held against the numbers of its
spec.toml, and at every moment showing what the animation shows then."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import Interpolation
from PIL import Image, ImageDraw

from services.platforms import catalog
from services.platforms.catalog import Preset
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import How, Rendition, Status, WorkRequest
from services.transcoder.engine import still, work

still.setup()
PRESETS = {name: preset for name, preset in catalog.presets("image").items() if preset.makes == "video"}
COLORS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "black", "white", "orange", "gray")
GRID, FINER = (8, 6), (64, 48)
Pixels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """said_ms: what the file says of each frame.   stands_ms: what a browser makes of that.   fps: of the film."""

    said_ms: Sequence[int]
    stands_ms: Sequence[int]
    fps: Fraction | int
    size: tuple[int, int] = (448, 368)
    kind: str = "GIF"
    see_through: bool = False


EVEN = [100] * 8
CASES = {
    "tenths": Case(EVEN, EVEN, 30),
    "film-like": Case([40] * 10, [40] * 10, 25),
    "fifty-a-second": Case([20] * 10, [20] * 10, 50),
    "no-common-rate": Case([30, 40, 50, 1230, 70], [30, 40, 50, 1230, 70], 50, size=(160, 120)),
    "long-stands": Case([1500, 500, 3000], [1500, 500, 3000], 24, size=(160, 120)),
    "in-no-hurry": Case([70] * 6, [70] * 6, Fraction(200, 7)),
    "hasty": Case([0, 10, 20, 0, 30], [100, 100, 20, 100, 30], 50),
    "see-through": Case(EVEN, EVEN, 30, see_through=True),
    "odd-sides": Case(EVEN, EVEN, 30, size=(401, 361)),
    "above-the-box": Case([100] * 3, [100] * 3, 30, size=(1300, 560)),
    "upright": Case([50] * 5, [50] * 5, 40, size=(370, 500)),
    "webp": Case([100, 250, 40, 10], [100, 250, 40, 100], 50, kind="WEBP"),
    "webp-see-through": Case(EVEN, EVEN, 30, kind="WEBP", see_through=True),
}


def drawn(case: Case) -> list[Image.Image]:
    """A square that wanders over a colour of its own, or over nothing."""
    found, (width, height) = [], case.size
    for n in range(len(case.said_ms)):
        ground = (0, 0, 0, 0) if case.see_through else COLORS[(n + 3) % len(COLORS)]
        frame = Image.new("RGBA", case.size, ground)
        left, top = n * width // 12, n * height // 14
        ImageDraw.Draw(frame).rectangle((left, top, left + width // 3, top + height // 3), fill=COLORS[n % 10])
        found.append(frame)
    return found


def saved(case: Case, frames: Sequence[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    # A GIF's frames that hold less than the whole are put upon what was there, unless that is cleared away.
    how: dict[str, object] = {"lossless": True} if case.kind == "WEBP" else {"disposal": 2 if case.see_through else 1}
    plain = frames if case.see_through else [frame.convert("RGB") for frame in frames]
    plain[0].save(buffer, case.kind, save_all=True, append_images=plain[1:], duration=list(case.said_ms), loop=0, **how)
    return buffer.getvalue()


def looked_at(frame: Image.Image) -> Pixels:
    """On white, coarsely."""
    white = Image.new("RGBA", frame.size, "white")
    white.alpha_composite(frame.convert("RGBA"))
    return np.asarray(white.convert("RGB").resize(GRID, Image.Resampling.BOX), dtype=np.float64)


@pytest.mark.parametrize("name", CASES)
def test_every_animation_as_every_film(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    frames = drawn(case)
    (tmp_path / "source").write_bytes(saved(case, frames))
    (tmp_path / "made").mkdir()
    content_type = f"image/{case.kind.lower()}"
    request = WorkRequest(
        source=str(tmp_path / "source"), content_type=content_type, kind="image", presets=tuple(PRESETS)
    )
    result = work.do(request, tmp_path / "made")
    assert (result.probe.frames, result.probe.duration_s) == (len(frames), sum(case.stands_ms) / 1000)
    expected = [looked_at(frame) for frame in frames]
    watched: dict[str, Watched] = {}
    unfilled: set[str] = set()
    for rendition in result.renditions:
        preset = PRESETS[rendition.preset]
        if rendition.status is Status.REJECTED:
            assert is_just(preset, rendition, result.probe), rendition
            continue
        assert (rendition.status, rendition.how) == (Status.READY, How.ENCODE), rendition
        file = str(rendition.file)
        if file not in watched:
            watched[file] = Watched((tmp_path / "made" / file).read_bytes())
            watched[file].shows(expected, case.stands_ms)
        watched[file].obeys(rendition, preset, case)
        if not preset.limits.min_bytes:
            unfilled.add(file)
    assert len(unfilled) == len({len(watched[file].frames) for file in unfilled}), "no film twice"


def is_just(preset: Preset, rendition: Rendition, probe: Probe) -> bool:
    limits = preset.limits
    return {
        "dimensions_too_small": min(probe.width, probe.height) < (limits.min_edge_px or 0),
        "aspect_unsupported": not (limits.min_aspect or 0) <= probe.aspect <= (limits.max_aspect or 99),
    }.get(rendition.reason or "", False)


class Watched:
    """A film as a player has it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            self.tracks = [stream.type for stream in film.streams]
            video = film.streams.video[0]
            context = video.codec_context
            self.coded = (context.name, context.profile, context.pix_fmt, int(context.colorspace))
            self.rate = video.average_rate
            decoded = list(film.decode(video))
        self.frames = [(frame.pts * (frame.time_base or 0), frame) for frame in decoded if frame.pts is not None]

    def obeys(self, rendition: Rendition, preset: Preset, case: Case) -> None:
        """What all of them promise, and what the preset's numbers say."""
        limits, size = preset.limits, (rendition.width, rendition.height)
        assert rendition.content_type == "video/mp4"
        assert (self.tracks, self.coded) == (["video"], ("h264", "High", "yuv420p", 1))
        assert self.data.index(b"moov") < self.data.index(b"mdat")
        assert b"elst" not in self.data
        assert (limits.min_bytes or 0) <= len(self.data) == rendition.size_bytes <= limits.max_bytes
        assert {(frame.width, frame.height) for _, frame in self.frames} == {size}
        assert [side % 2 for side in size] == [0, 0]
        assert max(size) <= min(1280, limits.max_edge_px or 1280)
        assert min(size) <= 720
        assert abs(size[0] / size[1] / (case.size[0] / case.size[1]) - 1) < 0.02
        assert self.rate == case.fps
        assert [at for at, _ in self.frames] == [n / Fraction(case.fps) for n in range(len(self.frames))]
        length_s, once_s = len(self.frames) / Fraction(case.fps), Fraction(sum(case.stands_ms), 1000)
        turns = length_s // once_s
        assert length_s - turns * once_s < 1 / Fraction(case.fps), "the last turn is a whole one"
        assert length_s >= (limits.min_duration_s or 0)
        assert turns == 1 or (turns - 1) * once_s < (limits.min_duration_s or 0)
        assert abs(rendition.duration_s - length_s) < 0.001

    def shows(self, expected: Sequence[Pixels], stands_ms: Sequence[int]) -> None:
        """Of every frame: what the animation shows at that moment."""
        ends = list(accumulate(stands_ms))
        for at, frame in self.frames:
            n = next(n for n, end in enumerate(ends) if at * 1000 % ends[-1] < end)
            small = frame.reformat(*FINER, "rgb24", interpolation=Interpolation.AREA)
            shown = looked_at(Image.fromarray(small.to_ndarray()))
            assert np.abs(shown - expected[n]).mean() < 6, (float(at), n)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="half"),
        pytest.param(lambda data: data[:-30], id="without-its-end"),
    ],
)
def test_a_broken_animation_makes_no_film(kind: str, harm: Callable[[bytes], bytes], tmp_path: Path) -> None:
    case = Case(EVEN, EVEN, 30, kind=kind)
    (tmp_path / "source").write_bytes(harm(saved(case, drawn(case))))
    (tmp_path / "made").mkdir()
    request = WorkRequest(
        source=str(tmp_path / "source"), content_type=f"image/{kind.lower()}", kind="image", presets=tuple(PRESETS)
    )
    with pytest.raises(Exception) as caught:
        work.do(request, tmp_path / "made")
    assert getattr(caught.value, "code", "") == "media_corrupt", caught.value
