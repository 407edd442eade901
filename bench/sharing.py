"""What a platform adds to a film's job when it takes what others do: little enough to drown in how one run differs from
the next, hence pairs that take turns at going first."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.harness import Bar, Contender, Run, Section, run, say, table
from bench.video_runs import LEVEL, SIX, TOO_HIGH, clip, cut, way

SHARING = ("linkedin", "tiktok", "youtube", "mastodon")
SECONDS = 5.0
Pair = tuple[Run, Run]


def measure(rounds: int) -> Section:
    """So many pairs: for six platforms, and for those that share with them too."""
    with tempfile.TemporaryDirectory(prefix="lmp-") as name:
        folder = Path(name)
        whole, source = folder / "whole.mov", folder / "source.mov"
        clip(whole, SECONDS, (1920, 1080), LEVEL)
        cut(whole, SECONDS, source, TOO_HIGH)
        few = way("six platforms", "ours", source, folder, SIX)
        more = way("those that share too", "ours", source, folder, SIX + SHARING)
        run(few)  # unmeasured, for caches
        pairs = [_pair(few, more, turned=n % 2 == 1) for n in range(rounds)]
    rows = [_row("CPU", pairs, lambda one: one.cpu_s), _row("wall", pairs, lambda one: one.wall_s)]
    head = ("", "six platforms", f"and {len(SHARING)} that share", "each adds, median", "least", "most")
    added = statistics.median(_added(pair, lambda one: one.cpu_s) for pair in pairs)
    bar = Bar("a platform that shares presets adds ≤ 2 % CPU", f"{added:.1%}", added <= 0.02)
    return Section(f"{SECONDS:g} s of 1080p, medians of {rounds} pairs:\n\n{table(head, rows)}", [bar])


def _pair(few: Contender, more: Contender, *, turned: bool) -> Pair:
    runs = {one.name: run(one) for one in ((more, few) if turned else (few, more))}
    pair = runs[few.name], runs[more.name]
    say(f"{pair[0].cpu_s:.2f} s, {pair[1].cpu_s:.2f} s of CPU")
    return pair


def _row(name: str, pairs: Sequence[Pair], of: Callable[[Run], float]) -> list[str]:
    added = [_added(pair, of) for pair in pairs]
    few, more = (statistics.median(of(pair[n]) for pair in pairs) for n in (0, 1))
    shares = (statistics.median(added), min(added), max(added))
    return [name, f"{few:.2f} s", f"{more:.2f} s", *(f"{one:+.1%}" for one in shares)]


def _added(pair: Pair, of: Callable[[Run], float]) -> float:
    """By each of those that share."""
    few, more = pair
    return (of(more) / of(few) - 1) / len(SHARING)
