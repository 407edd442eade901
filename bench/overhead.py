"""From an upload's answer to the last eager rendition: how much of it is anything but decoding and encoding."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import clips
from bench.harness import ROOT, Bar, Section, say, table
from bench.scenes import photograph
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from services.platforms.catalog import Kind
from services.transcoder.adapters.fork_server import ENVIRONMENT
from tests import media
from tests.e2e.client import Client, body

CLIP_S = 4.0
# By what is asked for: one answers once the upload is usable, a photo with its renditions; the other once it is stored.
ANSWERS: Mapping[str, Mapping[str, str]] = {"by default": {}, "at once": {"Prefer": "wait=0"}}


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind of file. make: another file for each number, so that none is known already. most_s: what may be on top."""

    name: str
    kind: Kind
    content_type: str
    make: Callable[[int], bytes]
    most_s: float


@dataclass(frozen=True, slots=True)
class _Pair:
    """answered_s: from the request. ready_s: from the answer. work_s: of that file, with nothing around it."""

    size_bytes: int
    answered_s: float
    ready_s: float
    work_s: float

    @property
    def overhead_s(self) -> float:
        return self.ready_s - self.work_s


Measured = Mapping[str, Sequence[_Pair]]


def measure(rounds: int) -> Section:
    """Each upload by itself, on a service that has nothing else to do; the same file's work beside it."""
    rows, bars = [], []
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        samples = _samples(Path(folder))
        with Stack(State(Path(folder, "stack")), ports=Ports.free(), tell=say) as stack:
            client = Client(stack.url, stack.api_key)
            try:
                for sample in samples:
                    measured = _measured(client, sample, rounds, Path(folder) / "source")
                    rows += [_row(sample, answer, pairs) for answer, pairs in measured.items()]
                    bars += [_bar(sample, answer, pairs) for answer, pairs in measured.items()]
                    say(f"{rows[-len(measured) :]}")
            finally:
                client.close()
    head = (
        "upload", "bytes", "answered", "until then", "from there until ready",
        "work alone", "on top, median", "worst",
    )  # fmt: skip
    return Section(f"Medians of {rounds}:\n\n{table(head, rows)}", bars)


def _measured(client: Client, sample: Sample, rounds: int, place: Path) -> Measured:
    """By how it is answered, in turn."""
    measured: dict[str, list[_Pair]] = {answer: [] for answer in ANSWERS}
    for n in range(rounds + 1):
        for at, (answer, headers) in enumerate(ANSWERS.items()):
            pair = _both(client, sample, sample.make(n * len(ANSWERS) + at), headers, place)
            if n:  # the first is for pools and caches
                measured[answer].append(pair)
    return measured


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


def _both(client: Client, sample: Sample, data: bytes, headers: Mapping[str, str], place: Path) -> _Pair:
    began = time.perf_counter()
    made = body(client.http.post("/v1/media", files={"file": ("a", data)}, headers=dict(headers)))
    answered = time.perf_counter()
    made = _followed(client, made["id"])
    ready = time.perf_counter()
    assert made["status"] == "ready", made
    return _Pair(len(data), answered - began, ready - answered, _work_s(sample, data, place))


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


def _work_s(sample: Sample, data: bytes, place: Path) -> float:
    place.write_bytes(data)
    words = (sys.executable, "-m", "bench.alone", sample.kind, sample.content_type, str(place))
    return float(subprocess.run(words, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout)


def _row(sample: Sample, answer: str, pairs: Sequence[_Pair]) -> list[str]:
    def middle(of: Callable[[_Pair], float]) -> str:
        return f"{1000 * statistics.median(map(of, pairs)):.0f} ms"

    return [
        sample.name,
        f"{pairs[-1].size_bytes:,}",
        answer,
        middle(lambda one: one.answered_s),
        middle(lambda one: one.ready_s),
        middle(lambda one: one.work_s),
        middle(lambda one: one.overhead_s),
        f"{1000 * max(one.overhead_s for one in pairs):.0f} ms",
    ]


def _bar(sample: Sample, answer: str, pairs: Sequence[_Pair]) -> Bar:
    found_s = statistics.median(one.overhead_s for one in pairs)
    return Bar(
        f"{sample.name}, answered {answer}: ≤ {1000 * sample.most_s:.0f} ms on top of the work",
        f"{1000 * found_s:.0f} ms",
        found_s <= sample.most_s,
    )
