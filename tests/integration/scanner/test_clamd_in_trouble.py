"""clamd with other settings, in trouble, or gone: nothing is called clean. Test names begin with the threat's row."""

import asyncio
import io
import os
import resource
import signal
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.ports import HOST, Ports
from services.common.blobs import Blobs
from services.common.errors import Code, MediaError
from services.scanner import app, domain
from services.scanner.domain import Finding, Outcome
from tests.integration.scanner.conftest import Put, no_verdict, other_clamd, scanner_on
from tests.media import jpeg


@contextmanager
def full_scratch(clamd: Clamd, bytes_left: int) -> Iterator[None]:
    """No file of clamd's grows beyond that: it reads as a full disk, and needs none."""
    before = resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def stopped(clamd: Clamd) -> Iterator[None]:
    """SIGSTOP: it holds its socket, and says nothing."""
    os.kill(clamd.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(clamd.pid, signal.SIGCONT)


async def test_c1_a_stream_limit_is_unscannable_every_time_and_never_a_fault(
    readable: Blobs, put: Put, tmp_path: Path
) -> None:
    sealed = await put(os.urandom(4 << 20))
    with other_clamd(tmp_path, StreamMaxLength="1M") as daemon:
        scanner = scanner_on(readable, daemon.socket)
        for _ in range(10):
            report = await scanner.scan(*sealed)
            assert (report.finding.outcome, report.finding.threat) == (Outcome.UNSCANNABLE, domain.STREAM_LIMIT)
            assert report.size_bytes == sealed[2]


async def test_one_that_listens_to_the_network_says_the_same(readable: Blobs, put: Put, tmp_path: Path) -> None:
    port = Ports.free().sandbox
    with other_clamd(tmp_path, TCPSocket=str(port), TCPAddr=HOST, StreamMaxLength="1M"):
        scanner = scanner_on(readable, (HOST, port))
        verdicts = [(await scanner.scan(*await put(data))).finding for data in (jpeg(), NEEDLE, os.urandom(3 << 20))]
    assert [verdict.outcome for verdict in verdicts] == [Outcome.CLEAN, Outcome.INFECTED, Outcome.UNSCANNABLE]
    assert (await no_verdict(scanner.scan(*await put(jpeg())))).code is Code.SCANNER_UNAVAILABLE


async def test_c3_a_file_limit_is_unscannable_and_not_clean(readable: Blobs, put: Put, tmp_path: Path) -> None:
    with other_clamd(tmp_path, MaxFileSize="1M") as daemon:
        report = await scanner_on(readable, daemon.socket).scan(*await put(NEEDLE + bytes(4 << 20)))
    assert report.finding == Finding(Outcome.UNSCANNABLE, "Heuristics.Limits.Exceeded.MaxFileSize")


@pytest.mark.parametrize(
    ("alerts", "finding"),
    [
        pytest.param("yes", Finding(Outcome.UNSCANNABLE, "Heuristics.Limits.Exceeded.MaxScanTime"), id="as-shipped"),
        pytest.param("no", Finding(Outcome.CLEAN), id="without-the-option"),
    ],
)
async def test_c4_what_takes_too_long_is_unscannable_by_an_option_that_must_be_on(
    readable: Blobs, put: Put, tmp_path: Path, alerts: str, finding: Finding
) -> None:
    sealed = await put(jpeg() + os.urandom(24 << 20))
    with other_clamd(tmp_path, MaxScanTime="50", AlertExceedsMax=alerts) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        assert (await scanner.scan(*sealed)).finding == finding


async def test_c8_a_scratch_folder_that_is_gone_is_a_fault_and_no_verdict(
    readable: Blobs, put: Put, tmp_path: Path
) -> None:
    sealed = await put(jpeg())
    with other_clamd(tmp_path) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        assert (await scanner.scan(*sealed)).finding.outcome is Outcome.CLEAN
        scratch = next(tmp_path.rglob("clamd/tmp"))
        scratch.rename(scratch.with_name("moved"))
        assert (await no_verdict(scanner.scan(*sealed))).code is Code.SCANNER_UNAVAILABLE
        scratch.with_name("moved").rename(scratch)
        assert (await scanner.scan(*sealed)).finding.outcome is Outcome.CLEAN


async def test_c8_a_full_scratch_folder_is_a_fault_and_no_verdict(readable: Blobs, put: Put, tmp_path: Path) -> None:
    sealed = await put(os.urandom(3 << 20) + NEEDLE)
    with other_clamd(tmp_path) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        with full_scratch(daemon, 1 << 20):
            for _ in range(3):
                assert (await no_verdict(scanner.scan(*sealed))).code is Code.SCANNER_UNAVAILABLE
        assert (await scanner.scan(*sealed)).finding.outcome is Outcome.INFECTED


async def test_c9_a_clamd_that_is_stopped_decides_nothing_and_keeps_nobody(
    readable: Blobs, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TEST_DEADLINE_S", 1.0)
    monkeypatch.setattr(domain, "deadline_s", lambda size_bytes: 1.0)
    sealed = await put(jpeg())
    with other_clamd(tmp_path) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        await scanner.test()
        with stopped(daemon):
            async with asyncio.timeout(30):
                errors = await asyncio.gather(*(no_verdict(scanner.scan(*sealed)) for _ in range(20)))
            assert {error.code for error in errors} == {Code.SCANNER_UNAVAILABLE}
        assert (await scanner.scan(*sealed)).finding.outcome is Outcome.CLEAN


@pytest.mark.parametrize(
    ("alerts", "outcome"),
    [
        pytest.param("no", Outcome.CLEAN, id="as-shipped"),
        pytest.param("yes", Outcome.UNSCANNABLE, id="with-the-option"),
    ],
)
async def test_c14_a_picture_every_decoder_shows_is_not_called_broken(
    readable: Blobs, put: Put, tmp_path: Path, alerts: str, outcome: Outcome
) -> None:
    data = jpeg()
    data = data[:2] + b"\xff\xe1\x00\x04ab" + data[2:]  # something before the segment that should be first
    Image.open(io.BytesIO(data)).load()
    with other_clamd(tmp_path, AlertBrokenMedia=alerts) as daemon:
        finding = (await scanner_on(readable, daemon.socket).scan(*await put(data))).finding
    assert finding.outcome is outcome
    assert finding.threat.startswith("Heuristics.Broken.Media") == (alerts == "yes")


async def test_a_clamd_that_keeps_stopping_is_slow_and_right(readable: Blobs, put: Put, tmp_path: Path) -> None:
    sealed = await put(os.urandom(1 << 20) * 12 + NEEDLE)
    with other_clamd(tmp_path) as daemon:
        scanning = asyncio.create_task(scanner_on(readable, daemon.socket).scan(*sealed))
        while not scanning.done():
            with stopped(daemon):
                await asyncio.sleep(0.05)
            await asyncio.wait({scanning}, timeout=0.01)
    assert scanning.result().finding.outcome is Outcome.INFECTED


async def test_c9_a_clamd_killed_in_the_middle_decides_nothing(quarantine: Blobs, put: Put, tmp_path: Path) -> None:
    key, etag, size_bytes = await put(os.urandom(1 << 20) * 12)
    with other_clamd(tmp_path) as daemon:

        class Killing:
            """Reads on only after the engine is dead."""

            async def read(self, key: str, *, if_match: str | None = None) -> AsyncGenerator[bytes, None]:
                async for number, chunk in _numbered(quarantine.read(key, if_match=if_match)):
                    if number == 3:
                        os.kill(daemon.pid, signal.SIGKILL)
                        await asyncio.sleep(0.1)
                    yield chunk

        scanner = scanner_on(Killing(), daemon.socket)  # type: ignore[arg-type]
        await scanner.test()
        assert scanner.state()
        assert (await no_verdict(scanner.scan(key, etag, size_bytes))).code is Code.SCANNER_UNAVAILABLE
        with pytest.raises(MediaError):
            scanner.state()


async def _numbered(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    number = 0
    async for chunk in chunks:
        yield number, chunk
        number += 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"stream: OK", b"stream: O", b"stream: OK\n", b"\x00", b"stream: \xff\xfe FOUND"],
    ids=["silence", "without-its-end", "half", "another-end", "empty", "cut-name"],
)
async def test_c9_half_answers_are_none(readable: Blobs, put: Put, tmp_path: Path, answer: bytes) -> None:
    sealed = await put(b"\xff\xd8\xff picture")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readuntil(b"\0") == b"zVERSION\0":
            writer.write(b"ClamAV 1.4.6\0")
        else:
            sent = b""
            while size := struct.unpack(">I", await reader.readexactly(4))[0]:
                sent += await reader.readexactly(size)
            writer.write(b"stream: Eicar FOUND\0" if sent == domain.needle() else answer)
        await writer.drain()
        writer.close()

    path = tmp_path / "c.sock"
    async with await asyncio.start_unix_server(serve, path):
        error = await no_verdict(scanner_on(readable, path).scan(*sealed))
    assert error.code is Code.SCANNER_UNAVAILABLE


async def test_nobody_at_the_socket_decides_nothing(readable: Blobs, put: Put, tmp_path: Path) -> None:
    scanner = scanner_on(readable, tmp_path / "nobody.sock")
    assert (await no_verdict(scanner.scan(*await put(jpeg())))).code is Code.SCANNER_UNAVAILABLE


async def test_v4_a_clamd_without_signatures_for_the_needle_gives_no_verdicts(
    readable: Blobs, put: Put, tmp_path: Path
) -> None:
    with other_clamd(tmp_path, signatures=("needle.ndb",)) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        assert (await no_verdict(scanner.scan(*await put(jpeg())))).code is Code.SCANNER_UNAVAILABLE
        with pytest.raises(MediaError, match="needle"):
            scanner.state()


async def test_c12_v4_undated_signatures_are_refused_where_an_age_is_set(
    readable: Blobs, put: Put, tmp_path: Path
) -> None:
    sealed = await put(jpeg())
    with other_clamd(tmp_path, signatures=("test.hdb", "needle.ndb")) as daemon:
        error = await no_verdict(scanner_on(readable, daemon.socket, max_age_s=48 * 3600).scan(*sealed))
        assert error.code is Code.SCANNER_UNAVAILABLE
        report = await scanner_on(readable, daemon.socket).scan(*sealed)
        assert report.finding.outcome is Outcome.CLEAN


async def test_a_clamd_that_comes_back_is_trusted_after_it_found_the_needle(
    readable: Blobs, put: Put, tmp_path: Path
) -> None:
    sealed = await put(jpeg())
    with other_clamd(tmp_path) as daemon:
        scanner = scanner_on(readable, daemon.socket)
        await scanner.scan(*sealed)
        daemon.kill()
        assert (await no_verdict(scanner.scan(*sealed))).code is Code.SCANNER_UNAVAILABLE
        daemon.start()
        assert (await scanner.scan(*sealed)).finding.outcome is Outcome.CLEAN
