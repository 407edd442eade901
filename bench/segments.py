"""A film encoded at once and in segments, by one machine and by two: each has a core of this one."""

import sys
import tempfile
from pathlib import Path

from bench.harness import Bar, Contender, Section, interleaved, run, table
from bench.video_runs import SIX, TOO_HIGH, clip, folder_of, way
from services.transcoder.adapters.fork_server import ENVIRONMENT

SECONDS, SEGMENTS = 40, 2
AT_ONCE, ALONE, SHARED = "at once, one core", "in segments, one core", "in segments, two of one core each"


def measure(rounds: int) -> Section:
    """Medians of the same film in turn."""
    with tempfile.TemporaryDirectory(prefix="lmp-") as name:
        folder = Path(name)
        source = folder / "source.mov"
        clip(source, SECONDS, (1920, 1080), TOO_HIGH)
        ways = [_way(AT_ONCE, 0, 1, source, folder), _way(ALONE, SEGMENTS, 1, source, folder)]
        ways.append(_way(SHARED, SEGMENTS, 2, source, folder))
        results = interleaved(ways, rounds)
        told = {one: run(way("quality", "quality", source, folder_of(folder, one), ())).told for one in results}
    once = results[AT_ONCE]
    rows = [
        [
            name,
            f"{one.wall_s:.1f} s",
            f"{once.wall_s / one.wall_s:.2f}",
            f"{one.cpu_s:.1f} s",
            f"{one.cpu_s / once.cpu_s:.2f}",
            *(f"{told[name][f'{what}:1080']:{form}}" for what, form in (("ssim", ".4f"), ("bytes", ",.0f"))),
        ]
        for name, one in results.items()
    ]
    head = ("way", "wall", "× as fast", "CPU", "÷ at once", "SSIM 1080p", "its bytes")
    more = results[ALONE].cpu_s / once.cpu_s - 1
    faster = once.wall_s / results[SHARED].wall_s
    worse = told[AT_ONCE]["ssim:1080"] - told[SHARED]["ssim:1080"]
    bars = [
        Bar("segments cost ≤ 10 % more CPU", f"{more:.1%}", more <= 0.1),
        Bar("two machines are ≥ 1.5 × as fast as one", f"{faster:.2f} ×", faster >= 1.5),
        Bar("no worse by SSIM, to a thousandth", f"{-worse:+.4f}", worse <= 0.001),
    ]
    said = f"{SECONDS} s of 1080p for six platforms, in {SEGMENTS} segments, medians of {rounds}:"
    return Section(f"{said}\n\n{table(head, rows)}", bars)


def _way(name: str, segments: int, cores: int, source: Path, folder: Path) -> Contender:
    words = (str(source), str(folder_of(folder, name)), f"{segments}", f"{SECONDS}", f"{cores}", *SIX)
    return Contender(name, (sys.executable, "-m", "bench.segment_ways", *words), ENVIRONMENT)
