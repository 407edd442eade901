"""python -m bench.alone KIND CONTENT_TYPE SOURCE: what a decoder does with an upload, and nothing around it.

Prints the seconds, taken within a process that is forked for it, as each of the service's jobs has one: of memory that
was never used before.
"""

import gc
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import cast

from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder import child
from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import work


def main(kind: Kind, content_type: str, source: str) -> None:
    """Once."""
    child.load()
    gc.freeze()
    eager = tuple(one.id for one in catalog.presets(kind).values() if one.eager)
    request = WorkRequest(source=source, content_type=content_type, kind=kind, presets=eager)
    with tempfile.TemporaryDirectory() as scratch:
        pid = os.fork()
        if pid == 0:
            try:
                began = time.perf_counter()
                work.do(request, Path(scratch))
                print(time.perf_counter() - began, flush=True)
            except BaseException:  # noqa: BLE001  a child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(cast("Kind", sys.argv[1]), *sys.argv[2:])
