"""What is run to measure films: clips made, and made into something by one of video_ways."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.harness import Contender, run
from services.transcoder.adapters.fork_server import ENVIRONMENT

SIX = ("bluesky", "x", "pinterest", "instagram", "threads", "facebook")
LEVEL, TOO_HIGH = "4.0", "5.1"  # the second is no platform's, so that such a clip is not copied


def clip(path: Path, seconds: float, size: tuple[int, int], level: str) -> None:
    """Writes one, as bench.clips does. size: width and height in pixels."""
    words = map(str, (path, seconds, *size, level))
    run(Contender(path.stem, (sys.executable, "-m", "bench.clips", *words)))


def cut(source: Path, seconds: float, to: Path, level: str) -> None:
    """Writes its beginning, which then says it is of that level; nothing is encoded."""
    _ffmpeg(source, to, "-t", str(seconds), "-c", "copy", "-bsf:v", f"h264_metadata=level={level}")


def in_hlg(source: Path, to: Path) -> None:
    """Writes it as a phone records HDR: HEVC of ten bits, with colours that say they are BT.2020's in HLG."""
    colors = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc")
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-tag:v", "hvc1")
    _ffmpeg(source, to, *encoder, "-pix_fmt", "yuv420p10le", *colors, "-c:a", "copy")


def _ffmpeg(source: Path, to: Path, *words: str) -> None:
    run(Contender(to.stem, ("ffmpeg", "-nostdin", "-v", "error", "-i", str(source), *words, str(to))))


def way(name: str, which: str, source: Path, folder: Path, platforms: Sequence[str]) -> Contender:
    """One of video_ways, by its name there. What it makes goes into a folder of its own name; `quality` judges what
    lies in the folder itself. This service's has the environment of its decoding process."""
    place = folder if which == "quality" else folder_of(folder, name)
    command = (sys.executable, "-m", "bench.video_ways", which, str(source), str(place), *platforms)
    return Contender(name, command, ENVIRONMENT if which == "ours" else {})


def folder_of(folder: Path, name: str) -> Path:
    """Where a way puts what it makes; exists."""
    place = folder / name
    place.mkdir(exist_ok=True)
    return place
