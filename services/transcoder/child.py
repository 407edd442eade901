"""The decoding process: one job, then it ends. A fork server makes it.

Reads one line of JSON from its standard input and writes some to its standard output: first the layers of isolation it
has, then how far it is, and last what became of the job. It is told nothing else: no environment, no secrets.
"""

import errno
import json
import os
import select
import site
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from services.platforms import catalog
from services.transcoder import isolation
from services.transcoder.domain.work import InputFault, WorkRequest
from services.transcoder.engine import still, work

# Of address space. A still needs its pixels a few times over; a film its decoder, and frames for each encoder.
STILL_BYTES = 2 << 30
FILM_BYTES = 4 << 30
PROGRESS_EVERY_S = 0.5


def load() -> None:
    """What every job needs, done once by the process it is forked from."""
    still.setup()
    catalog.load()
    catalog.presets("image")
    catalog.presets("video")


def main(parent: int) -> None:
    """One job. parent: whose end is this one's too."""
    layers = isolation.enter(parent)
    # Decoders may print; the answer must stand alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _say(answers, {"layers": [*layers, *isolation.available()]})
    line = sys.stdin.readline()
    if not line:
        return  # never needed
    job = json.loads(line)
    request, scratch = WorkRequest.from_dict(job["request"]), Path(job["scratch"])
    try:
        isolation.confine(
            readable=[Path(one) for one in request.read] + program_files(),
            writable=scratch,
            memory_bytes=STILL_BYTES if request.kind == "image" else FILM_BYTES,
            cpu_s=int(job["cpu_s"]),
            file_bytes=int(job["file_bytes"]),
        )
    except isolation.IsolationError as exc:
        _say(answers, {"unavailable": str(exc)})
        return
    try:
        result = work.do(request, scratch, Reporter(answers))
    except InputFault as fault:
        _say(answers, {"fault": fault.to_dict()})
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            _say(answers, {"unavailable": str(exc)})
        else:
            _say(answers, {"crash": traceback.format_exc()})
    except Exception:  # noqa: BLE001  told to the parent, which logs it and gives the file up
        _say(answers, {"crash": traceback.format_exc()})
    else:
        _say(answers, {"result": result.to_dict()})


class Reporter:
    """domain.work.Progress: says it now and then, and never waits for anybody to listen."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._next_s = 0.0

    def __call__(self, percent: Mapping[str, int]) -> None:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + PROGRESS_EVERY_S
        line = json.dumps({"progress": dict(percent)})
        # A pipe that can be written to takes as much without blocking (pipe(7)).
        if len(line) < select.PIPE_BUF and select.select([], [self._answers], [], 0)[1]:
            self._answers.write(line + "\n")
            self._answers.flush()


def program_files() -> list[Path]:
    """Where modules and libraries lie that are loaded on first use."""
    folders = {sys.prefix, sys.base_prefix, *site.getsitepackages(), "/usr/lib", "/lib", "/lib64"}
    return [Path(folder) for folder in folders]


def _say(answers: TextIO, what: dict[str, object]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()
