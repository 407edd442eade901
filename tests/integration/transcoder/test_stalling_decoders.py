"""Damaged films that keep a decoder's threads waiting for one another, met by mutation (128 x 72, HEVC, one second)."""

from pathlib import Path

from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.work import InputFault, WorkRequest

SAMPLES = Path(__file__).parent / "samples"


async def test_a_damaged_hevc_film_ends_one_way_or_the_other(tmp_path: Path) -> None:
    """With a thread for each frame, FFmpeg waits for ever over the first one of this film."""
    source = tmp_path / "source"
    source.write_bytes((SAMPLES / "hevc_stalls.mp4").read_bytes())
    scratch = tmp_path / "made"
    scratch.mkdir()
    request = WorkRequest(source=str(source), content_type="video/mp4", kind="video", presets=("display", "cover"))
    async with SandboxedEngine(spares=1) as engine:
        try:
            result = await engine.run(request, scratch, deadline_s=60.0)
        except InputFault as fault:
            assert fault.code.startswith("media_")  # noqa: PT017  either is an end
        else:
            assert {one.preset for one in result.renditions} == {"display", "cover"}
