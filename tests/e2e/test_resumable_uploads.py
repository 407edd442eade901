"""Uploads in pieces through Envoy: from browsers, over dying services, in constant memory."""

import hashlib
import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body
from tests.e2e.test_footprint import GROWTH_LIMIT_KIB, forget_peak, status

MIB = 1 << 20
SIZE = 150_000_000
PIECE = 16 * MIB
TRIES_S = 120.0
DOCUMENTED = Path(__file__).parents[2] / "docs" / "uploads.md"


@cache
def film() -> bytes:
    """150 MB: a film, and behind it a box that players skip, in which no two megabytes are alike."""
    found = bytearray(media.padded(media.film(), SIZE))
    noise = SIZE - MIB
    found[-noise:] = random.Random(7).randbytes(noise)  # noqa: S311
    return bytes(found)


def begin(client: Client, size: int, **fields: object) -> str:
    made = client.http.post("/v1/uploads", json={"filename": "film.mp4", "sizeBytes": size, **fields})
    body(made)
    return made.headers["location"]


def offset_of(answer: httpx.Response) -> int:
    assert answer.status_code == 308, answer.text
    found = answer.headers.get("range")
    return int(found.removeprefix("bytes=0-")) + 1 if found else 0


def slowly(piece: bytes) -> Iterator[bytes]:
    """A line of about 40 MB/s, so that there is a middle to be killed in."""
    for at in range(0, len(piece), MIB):
        yield piece[at : at + MIB]
        time.sleep(0.025)


class Sender:
    """A careful client: asks how far it is, and goes on from there, until it is answered with the item."""

    def __init__(self, client: Client, url: str, data: bytes) -> None:
        self._http, self._url, self._data = client.http, url, data
        self.acknowledged = 0
        self.failures = 0

    def send_all(self) -> dict[str, object]:
        ends = time.monotonic() + TRIES_S
        while True:
            assert time.monotonic() < ends, f"stuck at {self.acknowledged}"
            try:
                answer = self._http.put(self._url, headers={"content-range": "bytes */*"})
                while answer.status_code == 308:
                    self._acknowledge(offset_of(answer))
                    answer = self._put(self.acknowledged)
                if answer.status_code == 200:
                    return dict(answer.json())
                assert answer.status_code >= 500 or answer.status_code in (409, 423), answer.text
            except httpx.TransportError:
                pass
            self.failures += 1
            time.sleep(0.3)

    def _acknowledge(self, offset: int) -> None:
        assert offset >= self.acknowledged, "an acknowledged byte was lost"
        self.acknowledged = offset

    def _put(self, first: int) -> httpx.Response:
        piece = self._data[first : first + PIECE]
        told = f"bytes {first}-{first + len(piece) - 1}/{len(self._data)}"
        headers = {"content-range": told, "content-length": str(len(piece))}
        return self._http.put(self._url, content=slowly(piece), headers=headers)


@pytest.mark.timeout(300)
def test_killed_services_lose_no_acknowledged_byte(stack: Stack, client: Client) -> None:
    data = film()
    sha256 = hashlib.sha256(data).hexdigest()
    sender = Sender(client, begin(client, SIZE, kind="video", sha256=sha256), data)
    finished = threading.Event()

    def kill() -> None:
        chance = random.Random(3)  # noqa: S311  repeatable, not secret
        for victim in ("ingest", "gateway", "s3", "ingest"):
            if finished.wait(chance.uniform(1.0, 2.5)):
                return
            stack.kill(victim)
            stack.wait_ready(victim, within_s=60)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        found = sender.send_all()
    finally:
        finished.set()
        killing.join()
    assert (found["sizeBytes"], found["sha256"]) == (SIZE, sha256)
    assert sender.failures >= 2, "nothing was interrupted"
    assert client.settled_media(str(found["id"]), within_s=120)["status"] == "ready"
    source = hashlib.sha256()
    with client.http.stream("GET", f"/v1/media/{found['id']}/source") as answer:
        for chunk in answer.iter_raw():
            source.update(chunk)
    assert source.hexdigest() == sha256


@pytest.mark.timeout(180)
def test_its_size_is_not_felt_in_memory(stack: Stack, client: Client) -> None:
    data = film()
    client.http.put(begin(client, 100), headers={"content-range": "bytes */100"})
    pids = {name: pid for name, pid in stack.pids.items() if name in ("gateway", "ingest", "scanner", "envoy")}
    before = {name: forget_peak(pid) for name, pid in pids.items()}
    headers = {"content-length": str(SIZE), "prefer": "wait=30"}
    answer = client.http.put(begin(client, SIZE), content=slowly(data), headers=headers)
    assert answer.status_code == 200, answer.text
    growth = {name: status(pid, "VmHWM") - before[name] for name, pid in pids.items()}
    assert max(growth.values()) <= GROWTH_LIMIT_KIB, growth


def test_a_preflight_is_answered_at_the_edge_and_options_by_the_gateway(stack: Stack) -> None:
    origin = {"origin": "https://shop.example"}
    with httpx.Client(base_url=stack.url, trust_env=False) as browser:
        wanted = {"access-control-request-method": "PATCH", "access-control-request-headers": "tus-resumable"}
        preflight = browser.options("/v1/uploads/upl_1", headers=origin | wanted)
        plain = browser.options("/v1/uploads", headers=origin)
    allowed = {name.strip() for name in preflight.headers["access-control-allow-headers"].split(",")}
    assert preflight.status_code == 200
    assert allowed >= {"tus-resumable", "upload-offset", "upload-complete", "content-range", "authorization"}
    methods = {name.strip() for name in preflight.headers["access-control-allow-methods"].split(",")}
    assert methods >= {"PUT", "PATCH", "HEAD", "DELETE"}
    assert (preflight.headers["access-control-allow-origin"], "tus-version" in preflight.headers) == (
        "https://shop.example",
        False,
    )
    assert (plain.status_code, plain.headers["tus-version"]) == (204, "1.0.0")


def test_a_page_may_read_what_an_upload_answers(stack: Stack, client: Client) -> None:
    url = begin(client, 100)
    answer = client.http.head(url, headers={"origin": "https://shop.example", "tus-resumable": "1.0.0"})
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"upload-offset", "upload-length", "tus-resumable", "location", "range", "content-location"}
    assert answer.headers["upload-offset"] == "0"


def test_a_body_of_unknown_length_passes_the_edge(client: Client) -> None:
    data = media.jpeg()
    answer = client.http.put(begin(client, len(data)), content=iter([data[:1000], data[1000:]]))
    assert (answer.status_code, answer.json()["sizeBytes"]) == (200, len(data))


@pytest.mark.timeout(120)
def test_the_documented_commands_work(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(media.padded(media.film(), 20 * MIB))
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "env").write_text(f"LMP_BASE_URL={stack.url}\nLMP_API_KEY={stack.api_key}\n")
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENTED.read_text(), re.DOTALL)
    script = "set -eu\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().count("range: bytes=0-16777215\n") == 2, done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["sizeBytes"] == 20 * MIB
