"""One job: a source in, everything that is asked of it out. Runs in the decoding process."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from PIL import Image

from services.platforms import catalog
from services.platforms.catalog import Preset
from services.platforms.misfits import Misfit
from services.transcoder.domain.films import Copied, Mp4
from services.transcoder.domain.fitting import breach, fits
from services.transcoder.domain.planning import (
    Cover,
    Jpeg,
    Loop,
    Plan,
    Stripped,
    Untouched,
    plan,
    with_stripped,
    without_copies,
)
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.segments import Cut, Encoded, Segment
from services.transcoder.domain.sizes import box
from services.transcoder.domain.work import InputFault, Progress, Rendition, Status, WorkRequest, WorkResult, untold
from services.transcoder.engine import measuring, padding
from services.transcoder.engine.planes import Planes
from services.transcoder.engine.still import Still
from services.transcoder.engine.thumbhash import thumbhash
from services.transcoder.recipes import copied_mp4, cover_frame, h264_mp4, h264_segments, loop_mp4
from services.transcoder.recipes.jpeg_under_bytes import Stills

PREVIEW_PX = 200  # of the longer side: more than a thumbhash looks at
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


@dataclass(frozen=True, slots=True)
class Made:
    """A finished file below the scratch folder. digest: of what it was really made by."""

    path: Path
    content_type: str
    digest: str
    probe: Probe


Outcome: TypeAlias = Made | Misfit
T = TypeVar("T")


def do(request: WorkRequest, scratch: Path, progress: Progress = untold) -> WorkResult:
    """Probes the source and makes what is asked, each distinct thing once.

    Args:
        request: What to make of which file.
        scratch: Where renditions go; an empty folder.
        progress: Told often, of what takes long.

    Raises:
        InputFault: The source itself cannot be used.
    """
    job = _StillJob(request, scratch) if request.kind == "image" else _FilmJob(request, scratch, progress)
    known = catalog.presets("image" if request.kind == "image" else "video")
    plans = plan([known[name] for name in request.presets if name in known], job.probe)
    if request.segment is not None and isinstance(job, _FilmJob):
        segments = job.encode_segment(plans, request.segment)
        return WorkResult(probe=job.probe, fit={}, thumbhash="", renditions=(), segments=segments)
    made = {
        done.preset.id: _rendition(done, _filled(done, outcome, scratch), scratch) for done, outcome in job.make(plans)
    }
    return WorkResult(
        probe=job.probe,
        fit=fits(catalog.load(), job.probe),
        thumbhash=base64.b64encode(thumbhash(job.preview())).decode() if request.thumbhash else "",
        renditions=tuple(made.get(name) or _foreign(name, job.probe) for name in request.presets),
        unjoinable=job.unjoinable if isinstance(job, _FilmJob) else "",
    )


def _filled(planned: Plan, outcome: Outcome, scratch: Path) -> Outcome:
    """A film that is too small for its platform, filled up; all else as it is."""
    least = planned.preset.limits.min_bytes
    if isinstance(outcome, Misfit) or planned.preset.makes != "video" or not least or outcome.probe.size_bytes >= least:
        return outcome
    digest = catalog.digest_of("filled", outcome.digest, least)
    path = scratch / f"{digest}.mp4"
    size = padding.pad(outcome.path, least, path)
    return replace(outcome, path=path, digest=digest, probe=replace(outcome.probe, size_bytes=size))


def _rendition(planned: Plan, outcome: Outcome, scratch: Path) -> Rendition:
    """What became of a plan. What was made is believed only after it was held against its limits."""
    preset = planned.preset
    if isinstance(outcome, Misfit):
        return _refused(preset.id, preset.digest, Status.REJECTED, outcome)
    if found := breach(preset.limits, outcome.probe, outcome.content_type):
        return _refused(preset.id, preset.digest, Status.FAILED, found)
    return Rendition(
        preset=preset.id,
        status=Status.READY,
        digest=outcome.digest,
        how=planned.how,
        file=str(outcome.path.relative_to(scratch)),
        content_type=outcome.content_type,
        size_bytes=outcome.probe.size_bytes,
        width=outcome.probe.width,
        height=outcome.probe.height,
        duration_s=outcome.probe.duration_s,
    )


def _refused(preset: str, digest: str, status: Status, why: Misfit) -> Rendition:
    return Rendition(preset=preset, status=status, digest=digest, reason=why.reason, detail=why.detail)


def _foreign(preset: str, probe: Probe) -> Rendition:
    why = Misfit("kind_unsupported", f"{preset} is not made from a {probe.kind}")
    return _refused(preset, catalog.digest_of(preset), Status.REJECTED, why)


class _StillJob:
    """Renditions of a picture: decoded once, at the size the largest of them needs."""

    def __init__(self, request: WorkRequest, scratch: Path) -> None:
        self._source = Path(request.source)
        self._scratch = scratch
        self._still = Still(self._source, request.content_type)
        self._content_type = request.content_type
        self.probe = self._still.probe
        self._picture: Planes | None = None

    def preview(self) -> Image.Image:
        assert self._picture is not None
        return self._picture.resized(box(*self._picture.size, PREVIEW_PX, PREVIEW_PX)).rgb()

    def make(self, plans: Sequence[Plan]) -> Iterator[tuple[Plan, Outcome]]:
        stripped = self._stripped() if any(isinstance(one.recipe, Stripped) for one in plans) else None
        plans = with_stripped(plans, self.probe, stripped.probe.size_bytes if stripped else None)
        plans = sorted(plans, key=_ease, reverse=True)
        sizes = [(one.recipe.width, one.recipe.height) for one in plans if isinstance(one.recipe, Jpeg)]
        preview = box(self.probe.width, self.probe.height, PREVIEW_PX, PREVIEW_PX)
        # Decoded even when nothing is encoded: a file no decoder can read to its end is never served as it is.
        self._picture = self._still.picture(*max([*sizes, preview]))
        loops = self._loops({one.recipe for one in plans if isinstance(one.recipe, Loop)})
        with ThreadPoolExecutor(1) as beside:
            stills = Stills(self._picture, sizes=sizes, beside=beside)
            for one in plans:
                if one.misfit:
                    yield one, one.misfit
                elif isinstance(one.recipe, Jpeg):
                    yield one, _jpeg(stills, one.preset, one.recipe, self._scratch)
                elif isinstance(one.recipe, Loop):
                    yield one, loops[one.recipe]
                elif isinstance(one.recipe, Untouched):
                    yield one, self._kept("untouched", self._source.read_bytes())
                else:
                    assert stripped is not None
                    yield one, stripped

    def _loops(self, recipes: Iterable[Loop]) -> Mapping[Loop, Made]:
        wanted = {one: self._scratch / f"{_digest('loop_mp4', one)}.mp4" for one in recipes}
        for paces in {(one.film.fps, one.turns) for one in wanted}:
            alike = {one: path for one, path in wanted.items() if (one.film.fps, one.turns) == paces}
            loop_mp4.encode(self._source, self._content_type, alike)
        return _probed(wanted)

    def _stripped(self) -> Made | None:
        data = self._still.bare()
        return None if data is None else self._kept("bare", data)

    def _kept(self, name: str, data: bytes) -> Made:
        path = self._scratch / f"{name}.{_EXTENSIONS[self._content_type]}"
        path.write_bytes(data)
        digest = catalog.digest_of(name, self._content_type)
        return Made(path, self._content_type, digest, replace(self.probe, size_bytes=len(data)))


class _FilmJob:
    """Renditions of a film: copied where that is enough, else decoded once for all; and its cover."""

    def __init__(self, request: WorkRequest, scratch: Path, progress: Progress) -> None:
        self._source = Path(request.source)
        self._scratch = scratch
        self._progress = progress
        self._content_type = request.content_type
        self.probe = measuring.probe(self._source, request.content_type)
        self._cover_at_s = _within(request.cover_at_s, self.probe)
        self._encoded = request.encoded
        self.unjoinable = ""

    @cached_property
    def _cover(self) -> Image.Image:
        return cover_frame.choose(self._source, self._content_type, self.probe, at_s=self._cover_at_s)

    @cached_property
    def _stills(self) -> Stills:
        return Stills(Planes.of(self._cover))

    def preview(self) -> Image.Image:
        return self._cover

    def make(self, plans: Sequence[Plan]) -> Iterator[tuple[Plan, Outcome]]:
        plans, copy = self._settled(plans)
        films = self._encode(plans)
        for one in plans:
            if one.misfit:
                yield one, one.misfit
            elif isinstance(one.recipe, Cover):
                yield one, _jpeg(self._stills, one.preset, one.recipe.jpeg, self._scratch, self._cover_at_s)
            elif isinstance(one.recipe, Mp4):
                yield one, films[one.recipe]
            else:
                assert copy is not None
                yield one, copy

    def encode_segment(self, plans: Sequence[Plan], segment: Segment) -> tuple[str, ...]:
        """Of every film that is encoded. Their digests."""
        digests: list[str] = []
        for wanted, progress in self._groups(self._settled(plans)[0]):
            h264_segments.encode(self._source, self._content_type, self.probe, wanted, segment, progress=progress)
            digests += [path.stem for path in wanted.values()]
        return tuple(digests)

    def _settled(self, plans: Sequence[Plan]) -> tuple[Sequence[Plan], Made | None]:
        """The plans once it is known whether the film can be copied, and the copy."""
        copy = self._copy() if any(isinstance(one.recipe, Copied) for one in plans) else None
        return (without_copies(plans, self.probe), None) if copy is None else (plans, copy)

    def _copy(self) -> Made | None:
        """None when there is none, or it shows anything but the same frames at the same times: then it is encoded."""
        path = self._scratch / "copied.mp4"
        try:
            copied_mp4.copy(self._source, self._content_type, path)
            made = measuring.probe(path, "video/mp4")
        except InputFault:
            path.unlink(missing_ok=True)
            return None
        same = made.frames == self.probe.frames and made.constant_rate and not made.trimmed
        if not same or abs(made.duration_s - self.probe.duration_s) > 0.1:
            path.unlink()
            return None
        return Made(path, "video/mp4", _digest("h264_mp4", "copied slices"), made)

    def _encode(self, plans: Iterable[Plan]) -> Mapping[Mp4, Made]:
        made: dict[Mp4, Made] = {}
        for wanted, progress in self._groups(plans):
            if not self._joined(wanted):
                h264_mp4.encode(self._source, self._content_type, self.probe, wanted, progress=progress)
            made.update(_probed(wanted))
        return made

    def _joined(self, wanted: Mapping[Mp4, Path]) -> bool:
        if self._encoded is None:
            return False
        folder, cut = Path(self._encoded.folder), Cut(self._encoded.of, self._encoded.seconds)
        segments = {one: [folder / Encoded.name(n, to.stem) for n in range(cut.of)] for one, to in wanted.items()}
        try:
            h264_segments.join(self._source, self._content_type, self.probe, cut, segments, wanted)
        except h264_segments.UnjoinableError as exc:
            self.unjoinable = str(exc)
            return False
        return True

    def _groups(self, plans: Iterable[Plan]) -> Iterator[tuple[Mapping[Mp4, Path], Callable[[float], None]]]:
        """The films to encode, by frame rate: where each goes, and who is told how far they are."""
        presets: dict[Mp4, list[str]] = {}
        for one in plans:
            if isinstance(one.recipe, Mp4):
                presets.setdefault(one.recipe, []).append(one.preset.id)
        for rate in {one.fps for one in presets}:
            wanted = {one: self._scratch / f"{_digest('h264_mp4', one)}.mp4" for one in presets if one.fps == rate}
            yield wanted, partial(self._through, [name for one in wanted for name in presets[one]])

    def _through(self, presets: Iterable[str], part: float) -> None:
        """Whole only when it is ready."""
        self._progress(dict.fromkeys(presets, min(99, int(part * 100))))


def _within(at_s: float | None, probe: Probe) -> float | None:
    """To the millisecond: two moments that differ by less show one frame, and no film is longer than it is."""
    return None if at_s is None else round(min(at_s, probe.duration_s), 3)


def _probed(films: Mapping[T, Path]) -> Mapping[T, Made]:
    """Each named by its digest."""
    return {one: Made(path, "video/mp4", path.stem, measuring.probe(path, "video/mp4")) for one, path in films.items()}


def _ease(planned: Plan) -> tuple[int, int]:
    """What is large and fits easily comes first, for it tells how far the others have to go down; equal sizes
    follow each other."""
    recipe = planned.recipe
    return (recipe.width, planned.preset.limits.max_bytes) if isinstance(recipe, Jpeg) else (0, 0)


def _jpeg(stills: Stills, preset: Preset, recipe: Jpeg, scratch: Path, at_s: float | None = None) -> Outcome:
    found = stills.make(recipe, preset.limits.max_bytes)
    if found is None:
        return Misfit("too_large_for_platform", f"no quality fits {preset.limits.max_bytes} bytes")
    what = [found.width, found.height, found.quality, recipe.canvas is not None]
    digest = _digest(preset.recipe, what if at_s is None else [*what, at_s])
    path = scratch / f"{digest}.jpg"
    if not path.exists():
        path.write_bytes(found.data)
    # Read back: what counts is what was written.
    return Made(path, "image/jpeg", digest, Still(path, "image/jpeg").probe)


def _digest(recipe: str, what: object) -> str:
    return catalog.digest_of(recipe, catalog.RECIPES[recipe].version, str(what))
