"""tus-js-client, which we did not write, through Envoy."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body

SCRIPT = Path(__file__).parents[1] / "tus" / "send.mjs"
SIZE = 12_345_678


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tus") / "Strand ü.mp4"
    path.write_bytes(media.padded(media.film(), SIZE))
    return path


def send(stack: Stack, film: Path, way: str) -> Mapping[str, Any]:
    command = ["node", str(SCRIPT), f"{stack.url}/v1/uploads", stack.api_key, str(film), way]
    done = subprocess.run(command, cwd=SCRIPT.parent, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("way", "patches", "heads"),
    [("plain", 1, 0), ("chunked", 5, 0), ("withUpload", 2, 0), ("resumed", 7, 1), ("parallel", 3, 0)],
)
@pytest.mark.timeout(120)
def test_it_uploads(stack: Stack, client: Client, film: Path, way: str, patches: int, heads: int) -> None:
    found = send(stack, film, way)
    assert (found["end"], found["heads"]) == ("success", heads)
    assert found["patches"] >= patches
    state = body(client.http.get(found["url"]))
    assert state["status"] == "complete"
    item = client.settled_media(state["mediaId"])
    assert (item["status"], item["sizeBytes"], item["filename"]) == ("ready", SIZE, "Strand ü.mp4")
    assert (item["altText"], item["sha256"]) == ("Wellen.", hashlib.sha256(film.read_bytes()).hexdigest())


def test_it_terminates(stack: Stack, client: Client, film: Path) -> None:
    found = send(stack, film, "terminated")
    assert client.http.get(found["url"]).status_code == 404
