"""Uploads in pieces through Envoy: from browsers, as documented, in constant memory."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body
from tests.e2e.test_footprint import GROWTH_LIMIT_KIB, forget_peak, status

MIB = 1 << 20
SIZE = 150_000_000
DOCUMENTED = Path(__file__).parents[2] / "docs" / "uploads.md"


def begin(client: Client, size: int, **fields: object) -> str:
    made = client.http.post("/v1/uploads", json={"filename": "film.mp4", "sizeBytes": size, **fields})
    body(made)
    return made.headers["location"]


def megabytes(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), MIB):
        yield data[at : at + MIB]


@pytest.mark.timeout(180)
def test_its_size_is_not_felt_in_memory(stack: Stack, client: Client) -> None:
    data = media.padded(media.film(), SIZE)
    client.http.put(begin(client, 100), headers={"content-range": "bytes */100"})
    pids = {name: pid for name, pid in stack.pids.items() if name in ("gateway", "ingest", "scanner", "envoy")}
    before = {name: forget_peak(pid) for name, pid in pids.items()}
    headers = {"content-length": str(SIZE), "prefer": "wait=30"}
    answer = client.http.put(begin(client, SIZE), content=megabytes(data), headers=headers)
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
