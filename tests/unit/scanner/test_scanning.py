"""The scanner's rules, with an engine that says what the test wants."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.common.errors import Code, MediaError
from services.scanner import app, domain
from services.scanner.app import Scanner
from services.scanner.domain import Finding, Outcome
from tests.media import jpeg

FOUND = "stream: Eicar-Test-Signature FOUND"
VERSION = "ClamAV 1.4.6/27800/Mon Nov 23 08:00:00 2026"


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


class Engine:
    """Finds the needle; answers `reply` to everything else, after reading at most `reads` bytes."""

    def __init__(self, reply: str = "stream: OK", *, needle_reply: str = FOUND, version: str = VERSION) -> None:
        self.reply, self.needle_reply, self.version_reply = reply, needle_reply, version
        self.reads: int | None = None
        self.away = self.hangs = False
        self.seen: list[bytes] = []

    async def scan(self, chunks: AsyncIterator[bytes]) -> str:
        if self.away:
            raise MediaError(Code.SCANNER_UNAVAILABLE)
        if self.hangs:
            await asyncio.Event().wait()
        data = b""
        async for chunk in chunks:
            data += chunk
            if self.reads is not None and len(data) >= self.reads:
                break
        if data == domain.needle():
            return self.needle_reply
        self.seen.append(data)
        return self.reply

    async def version(self) -> str:
        return self.version_reply


class Objects:
    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks

    async def read(self, key: str, *, if_match: str | None = None) -> AsyncGenerator[bytes, None]:
        if if_match != "etag":
            raise MediaError(Code.OBJECT_CHANGED)
        for chunk in self.chunks:
            yield chunk


class Meter:
    def __init__(self) -> None:
        self.tests: list[bool] = []

    def scanned(self, outcome: str, size_bytes: int, elapsed_s: float) -> None: ...

    def tested(self, *, found: bool, signature_age_s: float | None) -> None:
        self.tests.append(found)


def scanner(engine: Engine, *chunks: bytes, clock: Clock | None = None, max_age_s: float = 0) -> Scanner:
    return Scanner(Objects(*chunks), engine, Meter(), now=clock or Clock(), max_scans=2, signatures_max_age_s=max_age_s)


async def refused(scanning: Scanner, size_bytes: int, etag: str = "etag") -> MediaError:
    with pytest.raises(MediaError) as caught:
        await scanning.scan("key", etag, size_bytes)
    return caught.value


async def test_a_verdict_is_about_exactly_the_bytes_read() -> None:
    report = await scanner(Engine(), b"abc", b"def").scan("key", "etag", 6)
    assert report.finding.outcome is Outcome.CLEAN
    assert (report.sha256, report.size_bytes) == (hashlib.sha256(b"abcdef").hexdigest(), 6)


async def test_empty_chunks_of_the_store_never_reach_the_engine() -> None:
    engine = Engine()
    await scanner(engine, b"", b"abc", b"", b"def", b"").scan("key", "etag", 6)
    assert engine.seen == [b"abcdef"]


@pytest.mark.parametrize("size_bytes", [5, 7, 0])
async def test_an_answer_about_another_number_of_bytes_decides_nothing(size_bytes: int) -> None:
    assert (await refused(scanner(Engine(), b"abcdef"), size_bytes)).code is Code.SCANNER_UNAVAILABLE


async def test_a_replaced_object_is_not_scanned() -> None:
    engine = Engine()
    assert (await refused(scanner(engine, b"abc"), 3, etag="other")).code is Code.OBJECT_CHANGED
    assert engine.seen == []


async def test_no_verdict_before_the_needle_was_found() -> None:
    engine = Engine(needle_reply="stream: OK")
    scanning = scanner(engine, b"abc")
    assert (await refused(scanning, 3)).code is Code.SCANNER_UNAVAILABLE
    assert engine.seen == []
    with pytest.raises(MediaError):
        scanning.state()


async def test_an_engine_that_hangs_is_tested_once_for_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "TEST_DEADLINE_S", 0.01)
    engine, meter = Engine(), Meter()
    engine.hangs = True
    scanning = Scanner(Objects(b"abc"), engine, meter, now=Clock(), max_scans=10, signatures_max_age_s=0)
    errors = await asyncio.gather(*(refused(scanning, 3) for _ in range(10)))
    assert {error.code for error in errors} == {Code.SCANNER_UNAVAILABLE}
    assert meter.tests == [False]
    engine.hangs = False
    assert (await scanning.scan("key", "etag", 3)).finding.outcome is Outcome.CLEAN


async def test_an_engine_that_broke_off_has_to_find_the_needle_again() -> None:
    engine = Engine()
    scanning = scanner(engine, b"abc")
    await scanning.scan("key", "etag", 3)
    engine.reply = "Error writing to temporary file ERROR"
    assert (await refused(scanning, 3)).code is Code.SCANNER_UNAVAILABLE
    engine.reply, engine.needle_reply = "stream: OK", "stream: OK"  # back, without its signatures
    assert (await refused(scanning, 3)).code is Code.SCANNER_UNAVAILABLE
    engine.needle_reply = FOUND
    assert (await scanning.scan("key", "etag", 3)).finding.outcome is Outcome.CLEAN


async def test_a_refused_length_is_unscannable_and_the_report_still_whole() -> None:
    engine = Engine()
    scanning = scanner(engine, b"abc", b"def", b"ghi")
    await scanning.test()
    engine.reply, engine.reads = "INSTREAM size limit exceeded. ERROR", 3
    report = await scanning.scan("key", "etag", 9)
    assert report.finding.outcome is Outcome.UNSCANNABLE
    assert (report.sha256, report.size_bytes) == (hashlib.sha256(b"abcdefghi").hexdigest(), 9)


async def test_a_test_that_is_too_long_ago_is_repeated_before_the_next_verdict() -> None:
    engine, clock = Engine(), Clock()
    scanning = scanner(engine, b"abc", clock=clock)
    await scanning.test()
    assert "signatures 27800" in scanning.state()
    clock.time += timedelta(hours=1)
    with pytest.raises(MediaError):
        scanning.state()
    engine.needle_reply = "stream: OK"
    assert (await refused(scanning, 3)).code is Code.SCANNER_UNAVAILABLE


@pytest.mark.parametrize(
    ("version", "trusted"),
    [(VERSION, True), ("ClamAV 1.4.6", False), ("ClamAV 1.4.6/1/Mon Nov 16 08:00:00 2026", False)],
)
async def test_old_or_undated_signatures_are_not_trusted_where_an_age_is_set(version: str, trusted: bool) -> None:
    scanning = scanner(Engine(version=version), b"abc", max_age_s=48 * 3600)
    if trusted:
        assert (await scanning.scan("key", "etag", 3)).finding.outcome is Outcome.CLEAN
    else:
        assert "too old" in (await refused(scanning, 3)).why


async def test_any_age_is_trusted_where_none_is_set() -> None:
    assert (await scanner(Engine(version="ClamAV 1.4.6"), b"abc").scan("key", "etag", 3)).size_bytes == 3


async def test_a_structure_nobody_may_decode_is_malformed_and_the_report_about_all_of_it() -> None:
    data = b"\x89PNG\r\n\x1a\n" + bytes(100)
    report = await scanner(Engine(), data[:5], data[5:]).scan("key", "etag", len(data), "image/png")
    assert report.finding == Finding(Outcome.MALFORMED, code="media_corrupt")
    assert (report.sha256, report.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))


async def test_what_the_engine_finds_weighs_more_than_a_structure() -> None:
    report = await scanner(Engine(FOUND), b"no picture").scan("key", "etag", 10, "image/png")
    assert report.finding == Finding(Outcome.INFECTED, "Eicar-Test-Signature")


async def test_a_well_formed_picture_and_bytes_of_no_known_type_are_clean() -> None:
    for data, content_type in ((jpeg(), "image/jpeg"), (b"anything", ""), (b"anything", "image/unheard-of")):
        report = await scanner(Engine(), data).scan("key", "etag", len(data), content_type)
        assert report.finding == Finding(Outcome.CLEAN)
