"""python -m bench [PART …]: measures, and writes the results into docs/performance.md. Without a part: all of them."""

import argparse
import importlib

from bench.harness import REPORT, Section, publish, say
from deploy.local.processes import LocalError

# How many rounds there are unless told. A part is loaded when its turn comes: those that start the whole service make
# this process large, below which no peak of what it starts can be seen, so they are last.
PARTS = {
    "images": 7,
    "video": 3,  # half an hour of two idle cores
    "sharing": 8,
    "segments": 3,
    "overhead": 7,
    "webhooks": 2,
    "replicas": 2,
}


def main() -> int:
    """Returns 1 where a bar was not kept, or nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, help="of which medians are taken; each part has its own number")
    asked = parser.parse_args()
    missed = 0
    for part in asked.parts or PARTS:
        try:
            section: Section = importlib.import_module(f"bench.{part}").measure(asked.rounds or PARTS[part])
        except LocalError as exc:
            say(f"FAILED {part}: {exc}")
            missed += 1
            continue
        publish(part, section)
        say(f"{part}: written into {REPORT}")
        for bar in section.bars:
            say(f"{'kept  ' if bar.kept else 'MISSED'} {part}: {bar.text}: {bar.measured}")
            missed += not bar.kept
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
