"""From an upload's answer to the last eager rendition: how much of it is anything but decoding and encoding."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import clips
from bench.harness import Bar, Section, say, table
from bench.scenes import photograph
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from services.platforms import catalog
from services.transcoder.domain.work import WorkRequest
from services.transcoder.engine import still, work
from tests import media
from tests.e2e.client import Client, body

CLIP_S = 4.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind of file. make: another file for each number, so that none is known already. most_s: what may be on top."""

    name: str
    kind: Literal["image", "video"]
    content_type: str
    make: Callable[[int], bytes]
    most_s: float


def measure(rounds: int) -> Section:
    """Each upload by itself, on a service that has nothing else to do; the same file's work beside it."""
    rows, bars = [], []
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        samples = _samples(Path(folder))
        still.setup()
        with Stack(State(Path(folder, "stack")), ports=Ports.free(), tell=say) as stack:
            client = Client(stack.url, stack.api_key)
            try:
                for sample in samples:
                    # Once unmeasured, for pools and caches.
                    pairs = [_both(client, sample, sample.make(n), Path(folder)) for n in range(rounds + 1)][1:]
                    rows.append(_row(sample, pairs))
                    bars.append(_bar(sample, pairs))
                    say(f"{rows[-1]}")
            finally:
                client.close()
    head = ("upload", "bytes", "until answered", "from there until ready", "work alone", "on top, median", "worst")
    return Section(f"Medians of {rounds}:\n\n{table(head, rows)}", bars)


@dataclass(frozen=True, slots=True)
class _Pair:
    """answered_s: from the request. ready_s: from the answer, which waits for no verdict."""

    size_bytes: int
    answered_s: float
    ready_s: float
    work_s: float

    @property
    def overhead_s(self) -> float:
        return self.ready_s - self.work_s


def _samples(folder: Path) -> Sequence[Sample]:
    clip = folder / "clip.mov"
    clips.make(clip, seconds=CLIP_S, width=1920, height=1080, level="4.2")
    film = clip.read_bytes()
    return (
        Sample("photo, 2 megapixels", "image", "image/jpeg", lambda _: media.jpeg(1600, 1200), 0.150),
        Sample(
            "photo, 12 megapixels", "image", "image/jpeg", lambda n: photograph(contrast=10, grain=3, seed=n), 0.150
        ),
        # Bytes that players skip make it another file.
        Sample(
            f"video, {CLIP_S:g} s of 1080p",
            "video",
            "video/quicktime",
            lambda n: media.padded(film, len(film) + 64 + n),
            0.400,
        ),
    )


def _both(client: Client, sample: Sample, data: bytes, folder: Path) -> _Pair:
    began = time.perf_counter()
    made = body(client.http.post("/v1/media", files={"file": ("a", data)}, headers={"Prefer": "wait=0"}))
    answered = time.perf_counter()
    made = _followed(client, made["id"])
    ready = time.perf_counter()
    assert made["status"] == "ready", made
    return _Pair(len(data), answered - began, ready - answered, _work_s(sample, data, folder))


def _followed(client: Client, media_id: str) -> dict[str, object]:
    """The last state of its events."""
    last = None
    with client.http.stream("GET", f"/v1/media/{media_id}/events", timeout=300) as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                last = line.removeprefix("data:")
    assert last is not None
    state: dict[str, object] = json.loads(last)
    return state


def _work_s(sample: Sample, data: bytes, folder: Path) -> float:
    """The transcoder's job on that file, in this process: what its decoder would do, and nothing around it."""
    source = folder / "source"
    source.write_bytes(data)
    eager = tuple(one.id for one in catalog.presets(sample.kind).values() if one.eager)
    request = WorkRequest(source=str(source), content_type=sample.content_type, kind=sample.kind, presets=eager)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        began = time.perf_counter()
        work.do(request, Path(scratch))
        return time.perf_counter() - began


def _row(sample: Sample, pairs: Sequence[_Pair]) -> list[str]:
    def middle(of: Callable[[_Pair], float]) -> str:
        return f"{1000 * statistics.median(map(of, pairs)):.0f} ms"

    return [
        sample.name,
        f"{pairs[-1].size_bytes:,}",
        middle(lambda one: one.answered_s),
        middle(lambda one: one.ready_s),
        middle(lambda one: one.work_s),
        middle(lambda one: one.overhead_s),
        f"{1000 * max(one.overhead_s for one in pairs):.0f} ms",
    ]


def _bar(sample: Sample, pairs: Sequence[_Pair]) -> Bar:
    found_s = statistics.median(one.overhead_s for one in pairs)
    return Bar(
        f"{sample.name}: ≤ {1000 * sample.most_s:.0f} ms on top of the work",
        f"{1000 * found_s:.0f} ms",
        found_s <= sample.most_s,
    )
