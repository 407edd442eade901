"""The long run: `make fuzz`, or `python -m tests.fuzz SECONDS [content type …]`.

One type after the other. Guided by coverage where atheris is installed, else by chance. What breaks a property is put
among the kept seeds, so that it is tried for ever after.
"""

import hashlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.mutations import MOST_BYTES, mutated

GUIDED = importlib.util.find_spec("atheris") is not None


def keep(content_type: str, data: bytes) -> Path:
    """Adds what was found to the seeds."""
    name = hashlib.sha256(data).hexdigest()[:16]
    path = targets.SEEDS / content_type.replace("/", "-", 1) / f"found-{name}"
    path.write_bytes(data)
    return path


def by_chance(content_type: str, seconds: float) -> int:
    """Tries changed seeds. Returns how many properties broke: 0 or 1."""
    kept, chance, tried = list(targets.seeds(content_type)), random.Random(), 0  # noqa: S311
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data, tried = mutated(kept, chance), tried + 1
        try:
            targets.check(content_type, data, chunk_bytes=chance.choice((1, 5, 64)))
        except Exception as exc:  # noqa: BLE001  whatever it is, the file that did it must be kept
            print(f"{content_type}: {exc!r}: {keep(content_type, data)}")  # noqa: T201
            return 1
    print(f"{content_type}: {tried} files by chance")  # noqa: T201
    return 0


def guided(content_type: str, seconds: float) -> int:
    """The same with atheris, in a process of its own: it never returns."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        limits = (f"-max_total_time={seconds:.0f}", f"-max_len={MOST_BYTES}", "-timeout=5", "-rss_limit_mb=1024")
        kept = targets.SEEDS / content_type.replace("/", "-", 1)
        command = [sys.executable, "-m", "tests.fuzz.guided", content_type, *limits, f"-artifact_prefix={found}/"]
        # The first folder takes what is new; the seeds are only read.
        done = subprocess.run([*command, str(corpus), str(kept)], check=False, capture_output=True, text=True)
        for path in found.iterdir():
            print(f"{content_type}: {keep(content_type, path.read_bytes())}")  # noqa: T201
        last = [line for line in done.stderr.splitlines() if line.startswith(("Done", "==", "#"))][-1:]
        print(f"{content_type}: {' '.join(last) or done.stderr[-2000:]}")  # noqa: T201
        return int(done.returncode != 0)


def main() -> int:
    """Exit status 1 when anything was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    types = sys.argv[2:] or targets.content_types()
    print(f"{seconds:.0f} s in all, {'guided by coverage' if GUIDED else 'by chance: atheris is not installed'}")  # noqa: T201
    run = guided if GUIDED else by_chance
    found = [run(content_type, seconds / len(types)) for content_type in types]
    return int(any(found))


if __name__ == "__main__":
    os.chdir(targets.SEEDS.parents[2])
    sys.exit(main())
