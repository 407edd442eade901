"""How a job's time and memory grow with a film's length, its size, and the number of platforms; and what they are
where its streams are copied."""

from dataclasses import dataclass
from pathlib import Path

from bench.harness import Run, interleaved, table
from bench.video_runs import TOO_HIGH, clip, cut, in_hlg, way

TWO = ("bluesky", "x")  # of both sizes, and no length of theirs is in the way of a short clip
SHORT_S, MIDDLE_S, LONG_S = 2.0, 8.0, 30.0
SIZES = ((640, 360), (1280, 720), (1920, 1080), (3840, 2160))


@dataclass(frozen=True, slots=True)
class Growth:
    """text: Markdown.   copied: how many times as long encoding takes as copying.   peak_4k_mib: of two seconds."""

    text: str
    copied: float
    peak_4k_mib: float


def measure(long: Path, folder: Path, rounds: int) -> Growth:
    """Makes renditions of films of every kind.

    Args:
        long: LONG_S of 1080p that platforms take as they are.   folder: For whatever is made.
        rounds: Of which medians are taken.
    """
    high, middle = folder / "high.mov", folder / "middle.mov"
    for path, seconds in ((high, LONG_S), (middle, MIDDLE_S)):
        cut(long, seconds, path, TOO_HIGH)
    films: list[tuple[str, Path, float, tuple[str, ...]]] = [
        (f"{width} × {height}, {SHORT_S:g} s, two platforms", folder / f"{height}.mov", SHORT_S, TWO)
        for width, height in SIZES
    ]
    for (_, path, *_), size in zip(films, SIZES, strict=True):
        clip(path, SHORT_S, size, TOO_HIGH)
    largest = films[-1][0]
    in_hlg(films[2][1], folder / "hlg.mov")
    encoded, copied = (f"1920 × 1080, {LONG_S:g} s, one platform, {how}" for how in ("encoded", "copied"))
    films += [
        (f"1920 × 1080, {SHORT_S:g} s, two platforms, HLG in HEVC", folder / "hlg.mov", SHORT_S, TWO),
        (f"1920 × 1080, {MIDDLE_S:g} s, two platforms", middle, MIDDLE_S, TWO),
        (f"1920 × 1080, {LONG_S:g} s, two platforms", high, LONG_S, TWO),
        (f"1920 × 1080, {MIDDLE_S:g} s, one platform", middle, MIDDLE_S, TWO[:1]),
        (encoded, high, LONG_S, TWO[:1]),
        (copied, long, LONG_S, TWO[:1]),
    ]
    results = interleaved([way(name, "ours", path, folder, names) for name, path, _, names in films], rounds)
    rows = [_row(name, results[name], length_s) for name, _, length_s, _ in films]
    head = ("this service", "wall", "CPU", "CPU for a second of film", "peak")
    return Growth(
        f"How that grows, medians of {rounds}:\n\n{table(head, rows)}",
        copied=results[encoded].wall_s / results[copied].wall_s,
        peak_4k_mib=results[largest].peak_mib,
    )


def _row(name: str, one: Run, length_s: float) -> list[str]:
    took = [f"{one.wall_s:.1f} s", f"{one.cpu_s:.1f} s", f"{one.cpu_s / length_s:.2f} s"]
    return [name, *took, f"{one.peak_mib:.0f} MiB"]
