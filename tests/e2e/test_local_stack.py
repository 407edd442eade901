"""`make run` as somebody at a terminal has it: prints where it is, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import astuple, fields
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import Ports, variable
from deploy.local.state import REPOSITORY
from deploy.local.tenant import demo_accounts
from services.platforms import registry
from tests.e2e.client import Client, body, eventually
from tests.processes import descendants

LISTENS = "0A"  # a socket's state in /proc/net/tcp


@pytest.mark.timeout(180)
def test_it_prints_url_and_key_answers_and_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    ports = Ports.free()
    env = os.environ | {variable(field.name): str(getattr(ports, field.name)) for field in fields(ports)}
    env |= {"LMP_STATE_DIR": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "out"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"], cwd=REPOSITORY, env=env, stdout=out, stderr=out
        )
    try:
        eventually(lambda: "in another terminal" in log.read_text(), within_s=90)
        values = dict(
            line.removeprefix("export ").split("=", 1) for line in (tmp_path / "state" / "env").read_text().splitlines()
        )
        url, key = values["LMP_BASE_URL"].strip("'"), values["LMP_API_KEY"].strip("'")
        assert key in log.read_text()
        for account in demo_accounts():
            assert account.id in log.read_text()
        answer = httpx.get(f"{url}/v1/accounts", headers={"Authorization": f"Bearer {key}"})
        connected = {account["platform"] for account in answer.json()["data"]}
        assert connected == set(registry.publishers())
        account = next(account for account in demo_accounts() if account.platform == "bluesky")
        wanted = {"text": "The first post.", "targets": [{"accountId": account.id}]}
        client = Client(url, key)
        assert client.settled_post(body(client.http.post("/v1/posts", json=wanted))["id"])["status"] == "published"
        client.close()
        [page] = re.findall(r"what they published +(\S+)", log.read_text())
        assert "The first post." in httpx.get(page).text
        children = descendants(running.pid)
        assert len(children) >= 10
        # Two stacks on one machine would meet at a port that a program chose by itself, as SeaweedFS does where it is
        # told none for its RPCs.
        assert set(listened_at(children)) <= set(astuple(ports))
    finally:
        running.send_signal(signal.SIGINT)
        code = running.wait(timeout=60)
    assert code == 0
    assert "stopped; the data is kept" in log.read_text()
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def listened_at(pids: Collection[int]) -> Iterator[int]:
    """The ports at which those processes accept connections."""
    sockets = {link for pid in pids for link in opened(pid)}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and f"socket:[{inode}]" in sockets:
                yield int(local.rpartition(":")[2], 16)


def opened(pid: int) -> Iterator[str]:
    """What that process has open; nothing once it has ended."""
    try:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                yield str(handle.readlink())
    except FileNotFoundError:
        return
