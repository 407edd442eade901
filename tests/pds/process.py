"""The real PDS as a process of the tests."""

import json
import os
import selectors
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 20.0


@contextmanager
def running() -> Iterator[Mapping[str, str]]:
    """A PDS of its own, with one account: its `url`, `handle`, `password`, `did`.

    Raises:
        FileNotFoundError: Its packages are not installed.
    """
    if not (HERE / "node_modules").is_dir():
        raise FileNotFoundError(f"{HERE} has no packages; `make setup-tests` installs them")
    env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    pipe = subprocess.PIPE
    with subprocess.Popen(["node", "start.mjs"], cwd=HERE, env=env, stdin=pipe, stdout=pipe) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(node.stdout, selectors.EVENT_READ)
                assert waiting.select(STARTS_WITHIN_S), "the PDS did not start in time"
            line = node.stdout.readline()
            assert line, "the PDS did not start; its words are above"
            yield json.loads(line)
        finally:
            node.stdin.close()  # which it takes as the word to stop
            try:
                node.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                node.kill()
