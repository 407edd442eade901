"""Verdicts of the real clamd: on the shipped configuration, and where another one would let something through."""

import asyncio
import hashlib
import io
import os
import signal
import struct
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.state import State
from services.common.blobs import Blobs
from services.common.errors import Code, MediaError
from services.scanner import domain
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.app import Report, Scanner
from services.scanner.domain import Finding, Outcome
from tests.integration.scanner.conftest import scanner_on
from tests.media import jpeg

DEBIAN_TEST_FILES = Path("/usr/share/clamav-testfiles")
PART = 8 << 20

Put = Callable[[bytes], Awaitable[tuple[str, str, int]]]


@pytest.fixture
async def put(quarantine: Blobs) -> AsyncIterator[Put]:
    """Stores bytes as a sealed object and gives its key, etag and size."""
    keys: list[str] = []

    async def put(data: bytes) -> tuple[str, str, int]:
        key = f"scan/{os.urandom(8).hex()}"
        keys.append(key)
        if len(data) <= PART:
            info = await quarantine.put(key, data, "application/octet-stream")
            return key, info.etag, info.size
        upload = await quarantine.start_multipart(key, "application/octet-stream")
        parts = []
        for number, at in enumerate(range(0, len(data), PART), 1):
            parts.append((number, await quarantine.put_part(key, upload, number, data[at : at + PART])))
        info = await quarantine.complete(key, upload, parts)
        return key, info.etag, info.size

    yield put
    for key in keys:
        await quarantine.delete(key)


class OtherClamd(Clamd):
    """clamd with some options changed, or other signatures."""

    def __init__(self, state: State, options: dict[str, str], *, signatures: tuple[str, ...] | None = None) -> None:
        super().__init__(state)
        self._options = options
        self._signatures = signatures

    def prepare(self) -> None:
        super().prepare()
        lines = [line for line in self._config.read_text().splitlines() if line.split(" ")[0] not in self._options]
        lines += [f"{name} {value}" for name, value in self._options.items()]
        self._config.write_text("\n".join(lines) + "\n")
        if self._signatures is not None:
            for path in self._database.iterdir():
                if path.name not in self._signatures:
                    path.unlink()


@contextmanager
def other_clamd(folder: Path, *, signatures: tuple[str, ...] | None = None, **options: str) -> Iterator[OtherClamd]:
    """Runs one for the length of a test."""
    daemon = OtherClamd(State(folder), options, signatures=signatures)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def encrypted_zip() -> bytes:
    """A zip whose only member says that it is encrypted (bit 0 of its flags)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("secret.txt", os.urandom(256))
    data = bytearray(buffer.getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def crowded_zip(members: int = 12_000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(members):
            archive.writestr(f"{number}.txt", str(number))
    return buffer.getvalue()


async def no_verdict(scanning: Awaitable[Report]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await scanning
    return caught.value


async def test_an_ordinary_picture_is_clean_and_the_report_is_about_its_bytes(scanner: Scanner, put: Put) -> None:
    data = jpeg()
    report = await scanner.scan(*await put(data))
    assert report == Report(Finding(Outcome.CLEAN), hashlib.sha256(data).hexdigest(), len(data))


async def test_eicar_is_found(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(domain.needle()))
    assert report.finding.outcome is Outcome.INFECTED
    assert "eicar" in report.finding.threat.lower()


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
async def test_v1_a_signature_is_found_anywhere_in_a_large_object(scanner: Scanner, put: Put, at: float) -> None:
    filler = os.urandom(1 << 20) * 40
    split = int(len(filler) * at)
    report = await scanner.scan(*await put(filler[:split] + NEEDLE + filler[split:]))
    assert report.finding.outcome is Outcome.INFECTED
    assert report.finding.threat.startswith("Letmepost-Test-Needle")


async def test_c13_a_picture_that_shows_and_is_infected_all_the_same(scanner: Scanner, put: Put) -> None:
    data = jpeg() + (DEBIAN_TEST_FILES / "clam.zip").read_bytes()
    Image.open(io.BytesIO(data)).load()
    report = await scanner.scan(*await put(data))
    assert report.finding.outcome is Outcome.INFECTED
    assert report.finding.threat.startswith("ClamAV-Test-File")


async def test_all_of_debians_test_files_are_found(scanner: Scanner, put: Put) -> None:
    missed = []
    for path in sorted(DEBIAN_TEST_FILES.iterdir()):
        report = await scanner.scan(*await put(path.read_bytes()))
        if report.finding.outcome is Outcome.CLEAN:
            missed.append(path.name)
    assert missed == []


async def test_c6_what_passes_an_inner_limit_is_unscannable(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(crowded_zip()))
    assert report.finding == Finding(Outcome.UNSCANNABLE, "Heuristics.Limits.Exceeded.MaxFiles")


async def test_what_is_encrypted_is_unscannable(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(encrypted_zip()))
    assert report.finding.outcome is Outcome.UNSCANNABLE
    assert report.finding.threat.startswith("Heuristics.Encrypted")


async def test_c2_the_shipped_limits_leave_nothing_unread_at_the_end_of_150_mb(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(os.urandom(1 << 20) * 150 + NEEDLE))
    assert report.finding.outcome is Outcome.INFECTED


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


async def test_c3_a_file_limit_is_unscannable_and_not_clean(readable: Blobs, put: Put, tmp_path: Path) -> None:
    with other_clamd(tmp_path, MaxFileSize="1M") as daemon:
        report = await scanner_on(readable, daemon.socket).scan(*await put(NEEDLE + bytes(4 << 20)))
    assert report.finding == Finding(Outcome.UNSCANNABLE, "Heuristics.Limits.Exceeded.MaxFileSize")


async def test_c7_an_empty_chunk_does_not_end_the_stream(clamd: Clamd) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"", b"clean so far", b"", NEEDLE, b""):
            yield chunk

    reply = await Engine(str(clamd.socket)).scan(chunks())
    found = domain.finding(reply)
    assert found is not None
    assert found.outcome is Outcome.INFECTED


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


async def test_c9_a_clamd_killed_in_the_middle_decides_nothing(quarantine: Blobs, put: Put, tmp_path: Path) -> None:
    key, etag, size_bytes = await put(os.urandom(1 << 20) * 12)
    with other_clamd(tmp_path) as daemon:

        class Killing:
            """Reads on only after the engine is dead."""

            async def read(self, key: str, *, if_match: str | None = None) -> AsyncIterator[bytes]:
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


async def test_v4_undated_signatures_are_refused_where_an_age_is_set(readable: Blobs, put: Put, tmp_path: Path) -> None:
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


async def test_an_object_that_was_replaced_is_not_scanned(scanner: Scanner, quarantine: Blobs, put: Put) -> None:
    key, etag, size_bytes = await put(jpeg())
    await quarantine.delete(key)
    await quarantine.put(key, domain.needle(), "image/jpeg")
    assert (await no_verdict(scanner.scan(key, etag, size_bytes))).code is Code.OBJECT_CHANGED


async def test_an_object_that_is_gone_is_not_clean(scanner: Scanner) -> None:
    error = await no_verdict(scanner.scan("scan/none", '"none"', 3))
    assert error.code is Code.OBJECT_CHANGED


async def test_more_scans_than_places_all_get_their_verdict(scanner: Scanner, put: Put) -> None:
    sealed = [await put(jpeg()) for _ in range(12)]
    reports = await asyncio.gather(*(scanner.scan(*one) for one in sealed))
    assert {report.finding.outcome for report in reports} == {Outcome.CLEAN}
