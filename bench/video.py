"""One clip for six platforms and a cover: time, memory, quality and bytes against the ffmpeg command, and against what
the encoders alone take; and how that grows."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import video_growth
from bench.harness import Bar, Run, Section, interleaved, run, table
from bench.video_growth import Growth
from bench.video_runs import LEVEL, SIX, TOO_HIGH, clip, cut, folder_of, way

SECONDS = float(os.environ.get("BENCH_VIDEO_S", "30"))
OURS, EACH, MANY, DISTINCT, FLOOR = (
    "this service, its whole job",
    "ffmpeg, a run per platform",
    "ffmpeg, a run, an output per platform",
    "ffmpeg, a run, an output per size",
    "the encoders alone",
)
MB = 1.048576  # a MiB
Figures = Mapping[str, Mapping[str, float]]


def measure(rounds: int) -> Section:
    """Every way on the same clip."""
    with tempfile.TemporaryDirectory(prefix="lmp-") as name:
        folder = Path(name)
        long, source = folder / "long.mov", folder / "source.mov"
        clip(long, video_growth.LONG_S, (1920, 1080), LEVEL)
        cut(long, SECONDS, source, TOO_HIGH)
        ways = [
            way(OURS, "ours", source, folder, SIX),
            way(EACH, "per_platform", source, folder, SIX),
            way(MANY, "many_outputs", source, folder, SIX),
            way(DISTINCT, "per_size", source, folder, SIX),
            way(FLOOR, "floor", source, folder, SIX),
        ]
        results = interleaved(ways, rounds)
        figures = {name: {**_taken(one), **_judged(name, source, folder)} for name, one in results.items()}
        growth = video_growth.measure(long, folder, min(rounds, 3))
    return Section(f"{_shown(figures, rounds)}\n\n{growth.text}", _bars(figures, growth))


def _taken(one: Run) -> dict[str, float]:
    return {"wall_s": one.wall_s, "cpu_s": one.cpu_s, "peak_mib": one.peak_mib}


def _judged(name: str, source: Path, folder: Path) -> Mapping[str, float]:
    return run(way("quality", "quality", source, folder_of(folder, name), ())).told


def _shown(figures: Figures, rounds: int) -> str:
    ours, floor = figures[OURS], figures[FLOOR]
    rows = [
        [
            name,
            f"{one['wall_s']:.1f} s",
            f"{one['wall_s'] / ours['wall_s']:.2f}",
            f"{one['cpu_s']:.1f} s",
            f"{one['cpu_s'] / floor['cpu_s']:.2f}",
            f"{one['peak_mib']:.0f} MiB" if name == OURS else "",
            *(f"{one[f'{what}:{height}']:{form}}" if f"{what}:{height}" in one else ""
              for height in (1080, 720) for what, form in (("ssim", ".4f"), ("bytes", ",.0f"))),
        ]
        for name, one in figures.items()
    ]  # fmt: skip
    head = ("way", "wall", "÷ ours", "CPU", "÷ encoders", "peak", "SSIM 1080p", "its bytes", "SSIM 720p", "its bytes")
    return f"{SECONDS:g} s of 1080p at 30 frames a second, 10 Mbit/s, medians of {rounds}:\n\n{table(head, rows)}"


def _bars(figures: Figures, growth: Growth) -> list[Bar]:
    ours, each, floor = figures[OURS], figures[EACH], figures[FLOOR]
    faster, wall = each["wall_s"] / ours["wall_s"], ours["wall_s"] / floor["wall_s"]
    cpu = ours["cpu_s"] / floor["cpu_s"]
    peak_mb, peak_4k_mb = ours["peak_mib"] * MB, growth.peak_4k_mib * MB
    worse = max(each[f"ssim:{height}"] - ours[f"ssim:{height}"] for height in (1080, 720))
    return [
        Bar("≥ 3.5 × as fast as a run per platform", f"{faster:.2f} ×", faster >= 3.5),
        Bar("no worse by SSIM, to a thousandth", f"{-worse:+.4f}", worse <= 0.001),
        Bar("CPU ≤ 1.2 × the encoders' alone", f"{cpu:.2f} ×", cpu <= 1.2),
        Bar("wall ≤ 1.25 × the encoders' alone", f"{wall:.2f} ×", wall <= 1.25),
        Bar("what complies is ready ≥ 20 × as fast as encoding it", f"{growth.copied:.1f} ×", growth.copied >= 20),
        Bar("peak ≤ 400 MB for 1080p", f"{peak_mb:.0f} MB", peak_mb <= 400),
        Bar("peak ≤ 1 GB for 4K", f"{peak_4k_mb:.0f} MB", peak_4k_mb <= 1000),
    ]
