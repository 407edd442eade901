"""What the stage's unit tests share."""

from pathlib import Path

import pytest

from tests.unit.transcoder.stage.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
