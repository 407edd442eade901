"""The decoding process as it really runs: confined, one file each, and every output probed anew by these tests."""

import asyncio
import io
import os
import signal
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from services.common.errors import MediaError
from services.platforms import catalog
from services.transcoder.adapters import engine as engine_module
from services.transcoder.adapters import fork_server as fork_server_module
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.adapters.fork_server import ForkServer
from services.transcoder.domain.work import How, InputFault, Status
from tests import media
from tests.integration.transcoder.workbench import Bench, by_preset
from tests.processes import children, runs


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[SandboxedEngine]:
    async with SandboxedEngine() as started:
        yield started


@pytest.fixture
def bench(engine: SandboxedEngine, tmp_path: Path) -> Bench:
    return Bench(engine, tmp_path)


async def test_every_layer_this_machine_has_is_in_force(engine: SandboxedEngine) -> None:
    assert set(engine.layers) >= {"no_new_privs", "rlimits", "seccomp"}


async def test_a_photo_becomes_every_preset_within_its_limits_and_without_metadata(bench: Bench) -> None:
    result = await bench.run(media.jpeg(2400, 3000, gps=True, orientation=6), "image/jpeg")
    assert (result.probe.width, result.probe.height) == (3000, 2400)
    made = by_preset(result)
    animated = [name for name in made if catalog.presets("image")[name].animated]
    assert {made.pop(name).reason for name in animated} == {"not_animated"}
    assert len({one.file for one in made.values()}) < len(made)
    for name, rendition in made.items():
        data, limits = bench.read(rendition), catalog.presets("image")[name].limits
        assert len(data) == rendition.size_bytes <= limits.max_bytes
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            assert picture.size == (rendition.width, rendition.height)
            assert abs(picture.width / picture.height - 3000 / 2400) < 0.01
            assert max(picture.size) <= (limits.max_edge_px or 10**6)
            assert not picture.getexif()
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


async def test_a_hard_photo_is_pressed_under_blueskys_cap(bench: Bench) -> None:
    scene = io.BytesIO()
    media.picture(2600, 2000, noise=110).save(scene, "JPEG", quality=95)
    result = await bench.run(scene.getvalue(), "image/jpeg", "bluesky.image")
    rendition = by_preset(result)["bluesky.image"]
    assert 0.7 * 999_424 < len(bench.read(rendition)) <= 999_424


async def test_presets_of_another_kind_or_unknown_are_told_apart(bench: Bench) -> None:
    result = await bench.run(media.jpeg(), "image/jpeg", "bluesky.image", "bluesky.video", "nowhere.image")
    assert [(one.preset, one.status) for one in result.renditions] == [
        ("bluesky.image", Status.READY),
        ("bluesky.video", Status.REJECTED),
        ("nowhere.image", Status.REJECTED),
    ]


async def test_the_same_source_gives_the_same_bytes(bench: Bench) -> None:
    data = media.film(320, 180, seconds=2, fps=30, audio=True, options={"preset": "ultrafast", "bf": "0"})
    digests = []
    for _ in range(2):
        result = await bench.run(data + b"", "video/mp4", "bluesky.video")
        digests.append((bench.read(by_preset(result)["bluesky.video"]), result.renditions[0].digest))
    assert digests[0] == digests[1]


class Watched:
    """A film as a player has it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        with av.open(io.BytesIO(data), "r") as film:
            self.tracks = [stream.type for stream in film.streams]
            video = film.streams.video[0]
            self.codec, self.profile, self.pix_fmt = (
                video.codec_context.name,
                video.codec_context.profile,
                video.codec_context.pix_fmt,
            )
            self.size = (video.codec_context.width, video.codec_context.height)
            self.metadata = dict(film.metadata)
            frames = [(frame.time, frame) for frame in film.decode(video)]
            self.times = [at for at, _ in frames]
            self.first = frames[0][1].to_ndarray(format="rgb24")
            self.color = (int(frames[0][1].colorspace), int(frames[0][1].color_trc), int(frames[0][1].color_range))

    @property
    def gaps(self) -> set[float]:
        return {round(b - a, 4) for a, b in zip(self.times, self.times[1:], strict=False)}


async def test_a_phones_clip_becomes_what_every_platform_takes(bench: Bench) -> None:
    source = media.film(
        640, 360, seconds=5, fps=30, audio=True, container="mov", codec="libx265", rotation=-90,
        options={"preset": "ultrafast", "x265-params": "log-level=error"},
        metadata={"location": "+52.5200+013.4050/", "comment": "SECRET"},
    )  # fmt: skip
    result = await bench.run(source, "video/quicktime")
    assert (result.probe.width, result.probe.height, result.probe.rotation) == (360, 640, 90)
    assert all(fit.ok for fit in result.fit.values())
    made = by_preset(result)
    for name in ("bluesky.video", "x.video", "pinterest.video", "instagram.reel", "threads.video", "display"):
        film = Watched(bench.read(made[name]))
        assert (film.codec, film.profile, film.pix_fmt, film.size) == ("h264", "High", "yuv420p", (360, 640))
        assert sorted(film.tracks) == ["audio", "video"]
        assert (film.times[0], len(film.times)) == (0.0, 150)
        assert film.gaps == {0.0333, 0.0334} or film.gaps == {0.0333}
        assert (film.color[0], film.color[2]) == (1, 1)
        assert b"elst" not in film.data
        assert film.data.index(b"moov") < film.data.index(b"mdat")
        assert b"SECRET" not in film.data
        assert b"13.40" not in film.data
    cover = Image.open(io.BytesIO(bench.read(made["pinterest.cover"])))
    assert cover.size == (360, 640)


async def test_a_compliant_film_is_copied_not_encoded(bench: Bench) -> None:
    source = media.film(
        1280, 720, seconds=3, fps=30, audio=True, container="mov", options={"preset": "veryfast", "g": "60", "bf": "2"},
        metadata={"comment": "SECRET"},
    )  # fmt: skip
    result = await bench.run(source, "video/quicktime", "bluesky.video", "x.video")
    made = by_preset(result)["bluesky.video"]
    assert made.how is How.REMUX
    film = Watched(bench.read(made))
    assert (film.times[0], len(film.times), b"elst" in film.data, b"SECRET" in film.data) == (0.0, 90, False, False)


async def test_what_a_trim_hides_stays_hidden(bench: Bench, tmp_path: Path) -> None:
    """A clip cut by stream copy keeps its first frames behind an edit list; without it they would show."""
    whole = media.film(320, 180, seconds=4, fps=30, options={"preset": "veryfast", "g": "120", "bf": "0"})
    path = tmp_path / "cut.mp4"
    with av.open(io.BytesIO(whole), "r") as film, av.open(path, "w", format="mp4") as out:
        video = out.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is None or packet.time_base is None:
                continue
            shift = round(Fraction(1) / packet.time_base)
            packet.pts, packet.dts = (packet.pts or 0) - shift, packet.dts - shift
            packet.stream = video
            out.mux(packet)
    result = await bench.run(path.read_bytes(), "video/mp4", "bluesky.video")
    rendition = by_preset(result)["bluesky.video"]
    assert (result.probe.trimmed, rendition.how) == (True, How.ENCODE)
    assert abs(rendition.duration_s - 3) < 0.05
    assert len(Watched(bench.read(rendition)).times) == 90


async def test_sound_and_picture_stay_together(bench: Bench) -> None:
    """A flash and a beep two seconds in come out within 40 ms of each other."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mov") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = out.add_stream("aac", rate=44_100, layout="mono")
        assert isinstance(sound, av.AudioStream)
        for n in range(100):
            shade = 255 if 50 <= n < 53 else 16
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), shade, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(video.encode(frame))
        at = np.arange(4 * 44_100) / 44_100
        wave = np.where((at >= 2) & (at < 2.1), np.sin(2 * np.pi * 1000 * at), 0).astype(np.float32)
        beep = av.AudioFrame.from_ndarray(wave[None, :], format="fltp", layout="mono")
        beep.sample_rate, beep.pts = 44_100, 0
        out.mux(sound.encode(beep))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    result = await bench.run(buffer.getvalue(), "video/quicktime", "x.video")
    with av.open(io.BytesIO(bench.read(by_preset(result)["x.video"])), "r") as film:
        flash = next(frame.time for frame in film.decode(video=0) if frame.to_ndarray(format="gray").mean() > 150)
    with av.open(io.BytesIO(bench.read(by_preset(result)["x.video"])), "r") as film:
        assert film.streams.audio[0].codec_context.sample_rate in (44_100, 48_000)
        heard = 0.0
        for piece in film.decode(audio=0):
            loud = np.flatnonzero(np.abs(piece.to_ndarray()[0]) > 0.2)
            if len(loud):
                heard = piece.time + loud[0] / piece.sample_rate
                break
    assert abs(flash - heard) <= 0.040


@pytest.mark.parametrize(("transfer", "name"), [(18, "hlg"), (16, "pq")])
async def test_hdr_is_shown_within_ordinary_range(bench: Bench, transfer: int, name: str) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        video = out.add_stream("libx265", rate=25, options={"preset": "ultrafast", "x265-params": "log-level=error"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p10le"
        context = video.codec_context
        context.color_trc, context.colorspace, context.color_primaries = transfer, 9, 9
        ramp = np.broadcast_to(np.linspace(64, 940, 320).astype(np.uint16), (180, 320))
        grey = np.full((90, 320), 512, dtype=np.uint16)
        for n in range(25):
            frame = av.VideoFrame.from_ndarray(np.vstack([ramp, grey]), format="yuv420p10le")
            frame.color_trc, frame.colorspace, frame.color_primaries = transfer, 9, 9
            frame.pts, frame.time_base = n, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    result = await bench.run(buffer.getvalue(), "video/mp4", "bluesky.video")
    assert result.probe.hdr == name
    film = Watched(bench.read(by_preset(result)["bluesky.video"]))
    assert film.color[:2] == (1, 1)
    line = film.first[90].mean(axis=1)
    assert line[0] < 20
    assert line[-1] > 180
    assert all(b >= a - 3 for a, b in zip(line[::16], line[16::16], strict=False))


# What must be told from the file, never by trying it.

HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:{port}/canary.ts\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile 'secret.mp4'\n"
SDP = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


@pytest.mark.parametrize("text", [HLS, CONCAT, SDP, b"just words\n" * 50], ids=["hls", "ffconcat", "sdp", "tty"])
@pytest.mark.parametrize("content_type", ["video/mp4", "video/webm"])
async def test_texts_that_name_other_files_are_damaged_films(bench: Bench, text: bytes, content_type: str) -> None:
    heard: list[object] = []
    server = await asyncio.start_server(lambda reader, writer: heard.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (bench.folder / "secret.mp4").write_bytes(media.film())
    with pytest.raises(InputFault) as caught:
        await bench.run(text.replace(b"{port}", str(port).encode()), content_type)
    server.close()
    await server.wait_closed()
    assert caught.value.code == "media_corrupt"
    assert heard == []


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def film_with(patch: Callable[[bytes], bytes]) -> bytes:
    """A small film whose sample tables say something else."""
    return patch(media.film(64, 64, seconds=0.4, fps=5, options={"preset": "ultrafast", "bf": "0"}))


def gap_bomb(data: bytes) -> bytes:
    """Two frames, ten days apart."""
    at = data.index(b"stts")
    scale_at = data.index(b"mdhd") + 16
    ticks = int.from_bytes(data[scale_at : scale_at + 4], "big") * 864_000
    return data[: at + 8] + struct.pack(">III", 1, 2, min(ticks, 2**32 - 1)) + data[at + 20 :]


def index_bomb(data: bytes) -> bytes:
    """Sample tables that claim 89 million samples."""
    at, size_at = data.index(b"stts"), data.index(b"stsz")
    bomb = data[: at + 8] + struct.pack(">III", 1, 89_000_000, 1) + data[at + 20 :]
    return bomb[: size_at + 8] + struct.pack(">II", 1, 89_000_000) + bomb[size_at + 16 :]


@pytest.mark.parametrize(
    "patch", [gap_bomb, index_bomb, lambda data: data[: len(data) // 2], lambda data: data[:60] + bytes(500)],
    ids=["gap-bomb", "index-bomb", "half-a-film", "zeros"],
)  # fmt: skip
async def test_bombs_and_wrecks_are_the_files_fault_and_cost_little(
    bench: Bench, patch: Callable[[bytes], bytes]
) -> None:
    began = time.perf_counter()
    with pytest.raises(InputFault) as caught:
        await bench.run(film_with(patch), "video/mp4")
    assert caught.value.code.startswith("media_"), caught.value
    assert time.perf_counter() - began < 20


async def test_sound_ten_days_later_is_not_waited_for(bench: Bench) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "0"})
        sound = out.add_stream("aac", rate=media.SOUND_RATE_HZ, layout="stereo")
        assert isinstance(video, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for late_s in (0, 10 * 86_400):
            tone = media.tone(1)
            tone.pts = late_s * media.SOUND_RATE_HZ
            out.mux(sound.encode(tone))
        for n in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), n, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    result = await bench.run(buffer.getvalue(), "video/mp4", "bluesky.video")
    with av.open(io.BytesIO(bench.read(result.renditions[0])), "r") as film:
        assert film.duration
        assert film.duration / av.time_base < 2.5


async def test_a_picture_that_names_too_many_pixels_is_refused(bench: Bench) -> None:
    gif = b"GIF89a" + struct.pack("<HHBBB", 12_000, 12_000, 0x80, 0, 0) + bytes(6)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 12_000, 12_000, 0) + b"\x02\x02\x4c\x01\x00;"
    with pytest.raises(InputFault) as caught:
        await bench.run(gif, "image/gif")
    assert caught.value.code == "media_pixels_exceeded"


# Whose fault it is.


async def test_a_killed_child_is_nobodys_fault_and_the_next_job_works(engine: SandboxedEngine, bench: Bench) -> None:
    job = asyncio.create_task(
        bench.run(media.film(1280, 720, seconds=10, fps=30, options={"preset": "ultrafast", "bf": "0"}), "video/mp4")
    )
    await asyncio.sleep(1.0)
    for pid in decoders():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(MediaError) as caught:
        await job
    assert caught.value.code == "unavailable"
    await asyncio.sleep(0.2)  # until it is known that the spares died too
    assert (await bench.run(media.jpeg(), "image/jpeg")).renditions


async def test_a_late_child_is_killed_and_so_is_a_cancelled_one(bench: Bench) -> None:
    long_film = media.film(1280, 720, seconds=10, fps=30, options={"preset": "ultrafast", "bf": "0"})
    with pytest.raises(MediaError) as caught:
        await bench.run(long_film, "video/mp4", deadline_s=1.0)
    assert caught.value.code == "deadline_exceeded"
    job = asyncio.create_task(bench.run(long_film, "video/mp4"))
    await asyncio.sleep(1.0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await asyncio.sleep(0.5)
    assert len(decoders()) <= 2  # the spares


async def test_a_killed_fork_server_takes_its_children_along_and_the_next_job_works(
    engine: SandboxedEngine, bench: Bench
) -> None:
    job = asyncio.create_task(
        bench.run(media.film(1280, 720, seconds=10, fps=30, options={"preset": "ultrafast", "bf": "0"}), "video/mp4")
    )
    await asyncio.sleep(1.0)
    [fork_server], orphans = fork_servers(), decoders()
    os.kill(fork_server, signal.SIGKILL)
    with pytest.raises(MediaError) as caught:
        await job
    assert caught.value.code == "unavailable"
    assert (await bench.run(media.jpeg(), "image/jpeg")).renditions
    assert orphans
    assert not any(runs(pid) for pid in orphans)


async def test_a_fork_server_that_does_nothing_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = fork_servers()
    async with SandboxedEngine(spares=1) as engine:
        [stuck] = set(fork_servers()).difference(others)
        monkeypatch.setattr(fork_server_module, "START_S", 1.0)
        os.kill(stuck, signal.SIGSTOP)
        bench = Bench(engine, tmp_path)
        # The spare does its job, but that it ended is not heard; the next has nobody to be forked by.
        assert (await bench.run(media.jpeg(), "image/jpeg")).renditions
        monkeypatch.setattr(fork_server_module, "START_S", 20.0)
        assert (await bench.run(media.jpeg(), "image/jpeg")).renditions
        assert stuck not in fork_servers()


async def test_whoever_is_cancelled_while_asking_for_a_child_leaves_no_file_open() -> None:
    server = await ForkServer.start()
    try:
        before = open_files()
        for turns in range(12):
            asking = asyncio.create_task(server.fork())
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                process = await asking
                await process.end()
                process.close()
        async with asyncio.timeout(10):
            while open_files() != before:  # noqa: ASYNC110  transports close in turns of the loop
                await asyncio.sleep(0.05)
    finally:
        await server.end()


async def test_a_fork_server_is_replaced_after_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_server_module, "CHILDREN_MOST", 2)
    seen, others = set(), fork_servers()
    async with SandboxedEngine(spares=1) as engine:
        bench = Bench(engine, tmp_path)
        for _ in range(6):
            assert (await bench.run(media.jpeg(), "image/jpeg")).renditions
            seen.update(set(fork_servers()).difference(others))
        assert len(seen) >= 3
        await asyncio.sleep(0.5)  # what has no children left ends
        assert len(set(fork_servers()).difference(others)) <= 2  # one that is used, one that the spare is of


def fork_servers() -> list[int]:
    found = children(os.getpid())
    return [pid for pid in found if b"transcoder.fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def decoders() -> list[int]:
    return [child for pid in fork_servers() for child in children(pid)]


async def test_without_its_layers_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "REQUIRED", frozenset({"an ivory tower"}))
    with pytest.raises(MediaError) as caught:
        async with SandboxedEngine():
            pass
    assert "an ivory tower" in str(caught.value)
