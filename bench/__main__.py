"""python -m bench [PART …]: measures, and writes the results into docs/performance.md. Without a part: all of them."""

import argparse
from collections.abc import Callable

from bench import images, video, webhooks
from bench.harness import REPORT, Section, publish, say

# By name: rounds in, results out.
PARTS: dict[str, Callable[[int], Section]] = {
    "images": images.measure,
    "video": video.measure,
    "webhooks": webhooks.measure,
}
ROUNDS = 7


def main() -> int:
    """Returns 1 where a bar was not kept."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of which medians are taken ({ROUNDS})")
    asked = parser.parse_args()
    missed = 0
    for part in asked.parts or PARTS:
        section = PARTS[part](asked.rounds)
        publish(part, section)
        for bar in section.bars:
            say(f"{'kept  ' if bar.kept else 'MISSED'} {part}: {bar.text}: {bar.measured}")
            missed += not bar.kept
    say(f"written into {REPORT}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
