"""How far a job is, told on its way: by real processes about real films."""

import os
import select
from collections.abc import Mapping
from pathlib import Path

from services.platforms import catalog
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.child import Reporter
from services.transcoder.domain.work import Status, WorkRequest
from tests.media import film


async def test_a_child_tells_how_far_each_film_is(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(film(1280, 720, seconds=8, fps=25, codec="mpeg4", options={}))
    scratch = tmp_path / "made"
    scratch.mkdir()
    presets = ("cover", "display", "x.video", "bluesky.video")
    request = WorkRequest(
        source=str(tmp_path / "source"), content_type="video/mp4", kind="video", presets=presets, cover_at_s=None
    )
    told: list[Mapping[str, int]] = []
    async with SandboxedEngine(spares=1) as engine:
        result = await engine.run(request, scratch, deadline_s=240.0, progress=told.append)
    assert {one.status for one in result.renditions} == {Status.READY}
    films = {name for name in presets if catalog.presets("video")[name].makes == "video"}
    assert {name for one in told for name in one} == films
    for name in films:
        course = [one[name] for one in told if name in one]
        assert course == sorted(course)
        assert len(set(course)) > 1
        assert 0 <= course[0] <= course[-1] < 100


def test_a_child_waits_for_nobody_to_listen() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as heard, os.fdopen(writing, "w") as answers:
        Reporter(answers)({"display": 7})
        assert heard.readline() == b'{"progress": {"display": 7}}\n'
        while select.select([], [answers], [], 0)[1]:
            os.write(writing, bytes(select.PIPE_BUF))
        Reporter(answers)({"display": 8})
        os.set_blocking(reading, False)
        assert b"progress" not in heard.read()


def test_a_child_does_not_tell_of_every_frame() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as heard, os.fdopen(writing, "w") as answers:
        reporter = Reporter(answers)
        for percent in range(100):
            reporter({"display": percent})
        os.set_blocking(reading, False)
        assert heard.read().count(b"\n") < 100
