"""python -m bench.video_ways WAY SOURCE FOLDER PLATFORM…: makes the platforms' default videos and a cover, and tells
what that took: once everything is loaded, as it is where a job begins."""

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av

from services.platforms import catalog
from services.platforms.catalog import Preset
from services.transcoder.domain.films import Mp4, encoded
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import film, measuring, still, work
from services.transcoder.engine.encoder import MUXER, x264_options
from services.transcoder.engine.film import Source
from services.transcoder.engine.frames import Frames, Size
from services.transcoder.engine.sound import RATE_HZ, Track

CONTENT_TYPE = "video/quicktime"
COVER = "cover"


def main() -> None:
    """One way, once."""
    way, source, folder, *platforms = sys.argv[1:]
    presets = [default(name) for name in platforms]
    still.setup()
    WAYS[way](Path(source), Path(folder), presets)


def default(platform: str) -> Preset:
    """Its video."""
    return next(one for one in catalog.load()[platform].presets if one.default and one.of == "video")


def ours(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """A job's whole work."""
    names = (*(one.id for one in presets), COVER)
    request = WorkRequest(source=str(source), content_type=CONTENT_TYPE, kind="video", presets=names)
    with Watch():
        result = work.do(request, folder)
    assert all(one.file for one in result.renditions), result


def per_platform(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """One run of the command for each platform, and one for the cover."""
    probe = measuring.probe(source, CONTENT_TYPE)
    with Watch():
        for one in presets:
            _ffmpeg(source, *_output(encoded(one, probe), folder / f"{one.id}.mp4"))
        _ffmpeg(source, *_still(folder))


def many_outputs(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """One run of the command, an output for each platform."""
    probe = measuring.probe(source, CONTENT_TYPE)
    outputs = [_output(encoded(one, probe), folder / f"{one.id}.mp4") for one in presets]
    with Watch():
        _ffmpeg(source, *(word for output in outputs for word in output), *_still(folder))


def per_size(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """One run of the command, an output for each distinct rendition: what somebody does who knows which are equal."""
    probe = measuring.probe(source, CONTENT_TYPE)
    distinct = {encoded(one, probe): one for one in presets}
    many_outputs(source, folder, list(distinct.values()))


def floor(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """The encoders alone, each in a thread, on frames that are ready: what nothing that makes these renditions can be
    faster than."""
    probe = measuring.probe(source, CONTENT_TYPE)
    recipes = list({encoded(one, probe): None for one in presets})
    with film.opened(source, CONTENT_TYPE) as opened:
        scaled = _scaled(opened, probe, recipes)
    with film.opened(source, CONTENT_TYPE) as opened:
        assert opened.sound is not None
        sound = list(opened.container.decode(opened.sound))
    threads = [
        threading.Thread(target=_encode, args=(one, frames, folder / f"{one.height}.mp4"))
        for one, frames in zip(recipes, scaled, strict=True)
    ]
    with Watch():
        Track(recipes[0].audio_kbps).encode([*sound, None])
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _scaled(source: Source, probe: Probe, recipes: Sequence[Mp4]) -> list[list[av.VideoFrame]]:
    """The very frames that the service encodes, by recipe."""
    found: list[list[av.VideoFrame]] = [[] for _ in recipes]
    frames: Frames | None = None
    for frame in source.container.decode(source.picture):
        if frames is None:
            sizes = [Size(one.width, one.height) for one in recipes]
            frames = Frames(probe, frame, sizes, rate=recipes[0].fps, pix_fmt="yuv420p")
        frames.push(frame)
        for n, each in enumerate(found):
            each += frames.pull(n)
    assert frames is not None
    frames.push(None)
    for n, each in enumerate(found):
        each += frames.pull(n)
    return found


def _encode(recipe: Mp4, frames: Sequence[av.VideoFrame], path: Path) -> None:
    with av.open(path, "w", format="mp4", options=dict(MUXER)) as out:
        video = out.add_stream("libx264", rate=recipe.fps, options=x264_options(recipe))
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = recipe.width, recipe.height, "yuv420p"
        for n, frame in enumerate(frames):
            frame.pts, frame.time_base, frame.pict_type = n, 1 / recipe.fps, 0
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


def quality(source: Path, folder: Path, presets: Sequence[Preset]) -> None:
    """Tells SSIM, against the scaled source, and bytes of a film of each size in the folder."""
    told: dict[str, float] = {}
    probes = {path: measuring.probe(path, "video/mp4") for path in sorted(folder.glob("*.mp4"))}
    heights = {probe.height: path for path, probe in probes.items()}  # those of one size are equal
    for path in heights.values():
        probe = probes[path]
        graph = f"[1:v]scale={probe.width}:{probe.height}:flags=bicubic[r];[0:v][r]ssim"
        command = ("ffmpeg", "-nostdin", "-i", str(path), "-i", str(source), "-lavfi", graph, "-f", "null", "-")
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        told[f"ssim:{probe.height}"] = float(said.rpartition("All:")[2].split()[0])
        told[f"bytes:{probe.height}"] = path.stat().st_size
    print(json.dumps(told))


def _output(recipe: Mp4, path: Path) -> list[str]:
    """The same settings, as the command takes them."""
    encoder = [word for name, value in x264_options(recipe).items() for word in (f"-{name}", value)]
    encoder[encoder.index("-profile")] = "-profile:v"
    muxer = [word for name, value in MUXER.items() for word in (f"-{name}", value)]
    picture = ["-vf", f"scale={recipe.width}:{recipe.height}:flags=bicubic,fps={recipe.fps},format=yuv420p"]
    sound = ["-c:a", "aac", "-b:a", f"{recipe.audio_kbps}k", "-ar", str(RATE_HZ), "-ac", "2"]
    return ["-map", "0:v:0", "-map", "0:a:0", *picture, "-c:v", "libx264", *encoder, *sound, *muxer, str(path)]


def _still(folder: Path) -> list[str]:
    return ["-map", "0:v:0", "-vf", "thumbnail=30", "-frames:v", "1", str(folder / "cover.jpg")]


def _ffmpeg(source: Path, *words: str) -> None:
    subprocess.run(("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), *words), check=True)


class Watch:
    """Tells what went on inside, children included."""

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_s()

    def __exit__(self, *exc: object) -> None:
        print(json.dumps({"wall_s": time.perf_counter() - self._wall, "cpu_s": _cpu_s() - self._cpu}))


def _cpu_s() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


WAYS: dict[str, Callable[[Path, Path, Sequence[Preset]], None]] = {
    "ours": ours,
    "per_platform": per_platform,
    "many_outputs": many_outputs,
    "per_size": per_size,
    "floor": floor,
    "quality": quality,
}

if __name__ == "__main__":
    main()
