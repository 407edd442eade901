"""The size of an upload or an import is not felt in memory."""

from pathlib import Path

import pytest

from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from tests import media
from tests.e2e.client import Client
from tests.e2e.shelf import Shelf

GROWTH_LIMIT_KIB = 64 << 10
UPLOAD_BYTES = 99_900_000  # with its multipart wrapping just below the limit of one request


def forget_peak(pid: int) -> int:
    """Makes the kernel measure the peak anew; returns resident KiB now. See proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return status(pid, "VmRSS")


def status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("imported", [False, True], ids=["upload", "import"])
def test_a_hundred_megabytes_grow_no_process_by_more_than_64_mb(
    stack: Stack, client: Client, shelf: Shelf, imported: bool
) -> None:
    client.stored(media.jpeg(640, 480))  # everything is loaded that loads when first used
    pids = {name: pid for name, pid in stack.pids.items() if name in (*STAGES, "envoy")}
    film = media.padded(media.film(), UPLOAD_BYTES)
    url = shelf.put("/clip.mp4", film)
    before = {name: forget_peak(pid) for name, pid in pids.items()}
    answer = client.imported(url) if imported else client.upload(film, "clip.mp4", kind="video")
    assert answer.status_code == 201, answer.text
    settled = client.settled_media(answer.json()["id"], within_s=90)
    assert (settled["status"], settled["sizeBytes"]) == ("ready", UPLOAD_BYTES)
    growth = {name: status(pid, "VmHWM") - before[name] for name, pid in pids.items()}
    assert max(growth.values()) <= GROWTH_LIMIT_KIB, growth
