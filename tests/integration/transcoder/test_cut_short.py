"""Files cut off at a hundred points, as the decoders would get them if no walker came first.

A picture is told as damaged wherever it was cut; a film too, or as many frames as are left of it are made into one
that plays.
"""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from services.common.errors import Code
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.work import InputFault, Rendition, Status
from tests.hostile.samples import moving, sample
from tests.integration.transcoder.workbench import Bench, worked_in_turn
from tests.media import picture

PRESETS = {"image": ("bluesky.image", "pinterest.image"), "video": ("bluesky.video",)}
# Behind the hundred: where an end marker is all that is missing.
LAST_BYTES = (1, 2, 4, 8)


def saved(format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture(96, 72, seed=11).save(buffer, format_, **options)
    return buffer.getvalue()


def index_first(content_type: str, folder: Path) -> bytes:
    """The same film as a server sends it: what is cut off are frames, not the index of them."""
    path = folder / "index-first"
    with (
        av.open(io.BytesIO(sample(content_type)), "r") as whole,
        av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return path.read_bytes()


Make = Callable[[Path], bytes]
FILES: dict[str, tuple[str, Make]] = {
    "jpeg": ("image/jpeg", lambda _: sample("image/jpeg")),
    "jpeg-in-scans": ("image/jpeg", lambda _: saved("JPEG", progressive=True)),
    "png": ("image/png", lambda _: sample("image/png")),
    "gif": ("image/gif", lambda _: sample("image/gif")),
    "gif-that-moves": ("image/gif", lambda _: moving("GIF")),
    "webp-lossy": ("image/webp", lambda _: saved("WEBP", quality=80)),
    "webp-lossless": ("image/webp", lambda _: saved("WEBP", lossless=True)),
    "heic": ("image/heic", lambda _: sample("image/heic")),
    "heif": ("image/heif", lambda _: sample("image/heif")),
    "avif": ("image/avif", lambda _: sample("image/avif")),
    "mp4": ("video/mp4", lambda _: sample("video/mp4")),
    "mp4-index-first": ("video/mp4", lambda folder: index_first("video/mp4", folder)),
    "mov": ("video/quicktime", lambda _: sample("video/quicktime")),
    "webm": ("video/webm", lambda _: sample("video/webm")),
}
EACH = [pytest.param(*FILES[name], id=f"A9-{name}") for name in FILES]


def looked_at(folder: Path, rendition: Rendition) -> int:
    """How many frames it has, all decoded."""
    path = folder / (rendition.file or "")
    assert path.stat().st_size == rendition.size_bytes
    if rendition.content_type.startswith("image/"):
        with Image.open(path) as image:
            image.load()
            assert image.size == (rendition.width, rendition.height)
            return 1
    with av.open(str(path), "r") as film:
        frames = list(film.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {(rendition.width, rendition.height)}
    return len(frames)


@pytest.mark.parametrize(("content_type", "make"), EACH)
def test_a_cut_file_is_read_or_damaged(tmp_path: Path, content_type: str, make: Make) -> None:
    whole, kind = make(tmp_path), content_type.partition("/")[0]
    lengths = [*(len(whole) * n // 100 for n in range(100)), *(len(whole) - n for n in LAST_BYTES)]
    files = {f"{n} bytes": (content_type, whole[:n]) for n in lengths}
    turn = worked_in_turn(tmp_path, files | {"whole": (content_type, whole)}, *PRESETS[kind])
    frames = {}
    for name, result in turn.results.items():
        assert {rendition.status for rendition in result.renditions} == {Status.READY}
        frames[name] = {looked_at(turn.made[name], rendition) for rendition in result.renditions}
    [most] = frames.pop("whole")
    if kind == "image":
        assert (frames, set(turn.codes.values())) == ({}, {Code.MEDIA_CORRUPT})
    else:
        assert all(0 < count <= most for counts in frames.values() for count in counts)
        assert set(turn.codes.values()) <= {Code.MEDIA_CORRUPT, Code.MEDIA_TYPE_UNSUPPORTED}


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[SandboxedEngine]:
    async with SandboxedEngine() as started:
        yield started


@pytest.mark.parametrize(("content_type", "make"), EACH)
async def test_its_own_process_tells_the_same(
    engine: SandboxedEngine, tmp_path: Path, content_type: str, make: Make
) -> None:
    whole, bench = make(tmp_path), Bench(engine, tmp_path)
    with pytest.raises(InputFault) as caught:
        await bench.run(whole[: len(whole) // 3], content_type, *PRESETS[content_type.partition("/")[0]])
    assert caught.value.code == Code.MEDIA_CORRUPT
