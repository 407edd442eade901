"""python -m bench [PART …]: measures, and writes the results into docs/performance.md. Without a part: all of them."""

import argparse
from collections.abc import Callable

from bench import images, overhead, replicas, video, webhooks
from bench.harness import REPORT, Section, publish, say

# By name: rounds in, results out; and how many rounds there are unless told.
PARTS: dict[str, tuple[Callable[[int], Section], int]] = {
    "images": (images.measure, 7),
    "video": (video.measure, 5),  # thirteen minutes of two idle cores
    "overhead": (overhead.measure, 7),
    "webhooks": (webhooks.measure, 2),
    "replicas": (replicas.measure, 3),
}


def main() -> int:
    """Returns 1 where a bar was not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, help="of which medians are taken; each part has its own number")
    asked = parser.parse_args()
    missed = 0
    for part in asked.parts or PARTS:
        measure, rounds = PARTS[part]
        section = measure(asked.rounds or rounds)
        publish(part, section)
        for bar in section.bars:
            say(f"{'kept  ' if bar.kept else 'MISSED'} {part}: {bar.text}: {bar.measured}")
            missed += not bar.kept
    say(f"written into {REPORT}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
