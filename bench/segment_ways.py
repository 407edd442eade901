"""python -m bench.segment_ways SOURCE FOLDER SEGMENTS SECONDS CORES PLATFORM…: makes the platforms' default videos, by
so many processes with a core each; SEGMENTS 0: at once. Tells what that took."""

import os
import sys
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory

from bench.video_ways import CONTENT_TYPE, Watch, default
from services.transcoder.domain.segments import Encoded, Segment
from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import still, work


def main() -> None:
    """Once."""
    source, name, count, length_s, cores, *platforms = sys.argv[1:]
    folder, of = Path(name), int(count)
    presets = tuple(default(one).id for one in platforms)
    request = WorkRequest(source=source, content_type=CONTENT_TYPE, kind="video", presets=presets)
    still.setup()
    with Watch():
        os.sched_setaffinity(0, {0})
        if of:
            encoded = Encoded(str(folder / "segments"), of, int(length_s) // of)
            _encode(request, encoded, int(cores))
            request = replace(request, encoded=encoded)
        result = work.do(request, folder)
    assert all(one.file for one in result.renditions), result
    assert not result.unjoinable, result


def _encode(request: WorkRequest, encoded: Encoded, cores: int) -> None:
    """Whoever is free takes the next segment."""
    Path(encoded.folder).mkdir(exist_ok=True)
    left = get_context("spawn").Queue()
    for n in range(encoded.of):
        left.put(n)
    workers = [get_context("spawn").Process(target=_work, args=(request, encoded, core, left)) for core in range(cores)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
        assert one.exitcode == 0


def _work(request: WorkRequest, encoded: Encoded, core: int, left: "Queue[int]") -> None:
    os.sched_setaffinity(0, {core})
    still.setup()
    while True:
        try:
            n = left.get(timeout=0.2)
        except Empty:
            return
        with TemporaryDirectory(dir=encoded.folder) as scratch:
            made = work.do(replace(request, segment=Segment(n, encoded.of, encoded.seconds)), Path(scratch))
            for digest in made.segments:
                (Path(scratch) / f"{digest}.mp4").rename(Path(encoded.folder) / Encoded.name(n, digest))


if __name__ == "__main__":
    main()
