"""What any test may ask for."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deploy.local.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator["Stack"]:
    """The whole service on free ports: `.url`, `.api_key`, `.pids`, `.kill(stage)`, `.stop_daemon("clamd")`…

    Started once per session, when a test first asks for it. Where it cannot start, those tests fail.
    """
    # Not above: unit tests need neither gRPC nor the database driver.
    from deploy.local.ports import Ports
    from deploy.local.stack import Stack
    from deploy.local.state import State

    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free(), tell=print) as running,
    ):
        yield running
