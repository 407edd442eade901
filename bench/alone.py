"""python -m bench.alone KIND CONTENT_TYPE SOURCE: what a decoder does with an upload, and nothing around it.

Prints the seconds, taken within a process that is forked for it, as each of the service's jobs has one: of memory that
was never used before.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import cast

from bench import forks
from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import work


def main(kind: Kind, content_type: str, source: str) -> None:
    """Once."""
    forks.load()
    eager = tuple(one.id for one in catalog.presets(kind).values() if one.eager)
    request = WorkRequest(source=source, content_type=content_type, kind=kind, presets=eager)
    with tempfile.TemporaryDirectory() as scratch:

        def done_in_s() -> float:
            began = time.perf_counter()
            work.do(request, Path(scratch))
            return time.perf_counter() - began

        print(forks.forked(done_in_s)[0])


if __name__ == "__main__":
    main(cast("Kind", sys.argv[1]), *sys.argv[2:])
