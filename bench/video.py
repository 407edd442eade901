"""One clip for six platforms and a cover: time, memory, quality and bytes against the ffmpeg command, and against what
the encoders alone take."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.harness import Bar, Contender, Section, interleaved, run, table

SIX = ("bluesky", "x", "pinterest", "instagram", "threads", "facebook")
SHARING = ("linkedin", "tiktok", "youtube", "mastodon")
ALONE = ("bluesky",)
TWO = ("bluesky", "x")  # of both sizes, and no length of theirs is in the way of a short clip
SECONDS = float(os.environ.get("BENCH_VIDEO_S", "10"))
LEVEL, TOO_HIGH = "4.0", "5.1"  # the second is no platform's, so that such a clip is not copied
OURS, EACH, MANY, FLOOR = (
    "this service, its whole job",
    "ffmpeg, a run per platform",
    "ffmpeg, a run, an output per platform",
    "the encoders alone",
)
MORE, ENCODED, COPIED = (
    "this service, ten platforms",
    "this service, one platform, encoded",
    "this service, one platform, copied",
)
Figures = Mapping[str, Mapping[str, float]]


def measure(rounds: int) -> Section:
    """Every way on the same clip."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, compliant, large = (folder / f"{one}.mov" for one in ("source", "compliant", "large"))
        _make(source, SECONDS, (1920, 1080), TOO_HIGH)
        _make(compliant, SECONDS, (1920, 1080), LEVEL)
        _make(large, 2, (3840, 2160), TOO_HIGH)
        ways = [
            _way(OURS, "ours", source, folder, SIX),
            _way(EACH, "per_platform", source, folder, SIX),
            _way(MANY, "many_outputs", source, folder, SIX),
            _way(FLOOR, "floor", source, folder, SIX),
            _way(MORE, "ours", source, folder, SIX + SHARING),
            _way(ENCODED, "ours", source, folder, ALONE),
            _way(COPIED, "ours", compliant, folder, ALONE),
        ]
        figures: dict[str, Mapping[str, float]] = {}
        for way, result in interleaved(ways, rounds).items():
            judged = (
                {}
                if way in (MORE, ENCODED, COPIED)
                else run(_way("quality", "quality", source, _of(folder, way), ())).told
            )
            figures[way] = {"wall_s": result.wall_s, "cpu_s": result.cpu_s, "peak_mib": result.peak_mib, **judged}
        peak_4k = run(_way("4K", "ours", large, folder, TWO)).peak_mib
    return Section(_shown(figures, rounds), _bars(figures, peak_4k))


def _make(path: Path, seconds: float, size: tuple[int, int], level: str) -> None:
    words = map(str, (path, seconds, *size, level))
    run(Contender(path.stem, (sys.executable, "-m", "bench.clips", *words)))


def _of(folder: Path, way: str) -> Path:
    place = folder / way
    place.mkdir(exist_ok=True)
    return place


def _way(name: str, way: str, source: Path, folder: Path, platforms: tuple[str, ...]) -> Contender:
    place = folder if way == "quality" else _of(folder, name)
    return Contender(name, (sys.executable, "-m", "bench.video_ways", way, str(source), str(place), *platforms))


def _shown(figures: Figures, rounds: int) -> str:
    ours, floor = figures[OURS], figures[FLOOR]
    rows = [
        [
            name,
            f"{one['wall_s']:.1f} s",
            f"{one['wall_s'] / ours['wall_s']:.2f}",
            f"{one['cpu_s']:.1f} s",
            f"{one['cpu_s'] / floor['cpu_s']:.2f}",
            f"{one['peak_mib']:.0f} MiB" if name in (OURS, MORE, ENCODED, COPIED) else "",
            *(f"{one[f'{what}:{height}']:{form}}" if f"{what}:{height}" in one else ""
              for height in (1080, 720) for what, form in (("ssim", ".4f"), ("bytes", ",.0f"))),
        ]
        for name, one in figures.items()
    ]  # fmt: skip
    head = ("way", "wall", "÷ ours", "CPU", "÷ encoders", "peak", "SSIM 1080p", "its bytes", "SSIM 720p", "its bytes")
    return f"{SECONDS:g} s of 1080p at 30 frames a second, 10 Mbit/s, medians of {rounds}:\n\n{table(head, rows)}"


def _bars(figures: Figures, peak_4k: float) -> list[Bar]:
    ours, each, floor = figures[OURS], figures[EACH], figures[FLOOR]
    more = (figures[MORE]["cpu_s"] / ours["cpu_s"] - 1) / len(SHARING)
    faster, copied = each["wall_s"] / ours["wall_s"], figures[ENCODED]["wall_s"] / figures[COPIED]["wall_s"]
    cpu, wall = ours["cpu_s"] / floor["cpu_s"], ours["wall_s"] / floor["wall_s"]
    worse = max(each[f"ssim:{height}"] - ours[f"ssim:{height}"] for height in (1080, 720))
    return [
        Bar("≥ 3.5 × as fast as a run per platform", f"{faster:.2f} ×", faster >= 3.5),
        Bar("no worse by SSIM, to a thousandth", f"{-worse:+.4f}", worse <= 0.001),
        Bar("CPU ≤ 1.2 × the encoders' alone", f"{cpu:.2f} ×", cpu <= 1.2),
        Bar("wall ≤ 1.25 × the encoders' alone", f"{wall:.2f} ×", wall <= 1.25),
        Bar("a platform that shares presets adds ≤ 2 % CPU", f"{more:.1%}", more <= 0.02),
        Bar("what complies is ready ≥ 20 × as fast as encoding it", f"{copied:.1f} ×", copied >= 20),
        Bar("peak ≤ 400 MB for 1080p", f"{ours['peak_mib'] * 1.048576:.0f} MB", ours["peak_mib"] * 1.048576 <= 400),
        Bar("peak ≤ 1 GB for 4K", f"{peak_4k * 1.048576:.0f} MB", peak_4k * 1.048576 <= 1000),
    ]
