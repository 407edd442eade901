"""Gives verdicts, and keeps proving that the engine behind them finds anything at all."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.common.errors import Code, MediaError
from services.scanner import domain
from services.scanner.domain import Finding, Outcome, Signatures
from services.scanner.ports import Engine, Meter, Objects
from services.scanner.structure.walking import Malformed, Walk

log = logging.getLogger(__name__)

TEST_EVERY_S = 60.0
TEST_AGAIN_S = 2.0  # while it fails
TEST_DEADLINE_S = 20.0
TRUSTED_FOR = timedelta(seconds=3 * TEST_EVERY_S)  # a test loop that stopped must not leave us trusting


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict on the very bytes that were read. sha256 is lower-case hex."""

    finding: Finding
    sha256: str
    size_bytes: int


class _Tally:
    """Counts, hashes and walks over what passes, and drops what would end clamd's stream early: empty chunks.

    It does so beside the reading and the sending, one chunk behind: `settled` waits for the last.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], walk: Walk) -> None:
        self._chunks = chunks
        self._walk = walk
        self._sha256 = hashlib.sha256()
        self._looking: asyncio.Task[None] | None = None
        self.size_bytes = 0

    async def passed_on(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                if chunk:
                    await self.settled()
                    self._looking = asyncio.create_task(asyncio.to_thread(self._look_at, chunk))
                    yield chunk

    async def settled(self) -> None:
        """Has looked at all that was passed on. Raises: what looking at it raised."""
        if self._looking is not None:
            await self._looking

    def _look_at(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self._walk.feed(chunk)
        self.size_bytes += len(chunk)

    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def malformed(self) -> Malformed | None:
        return self._walk.verdict()


class Scanner:
    """Verdicts on stored objects.

    Args:
        max_scans: Objects in the engine at once; the rest wait, within the caller's deadline.
        signatures_max_age_s: Seconds after which signatures are no longer trusted; 0 trusts any.
    """

    def __init__(
        self,
        objects: Objects,
        engine: Engine,
        meter: Meter,
        *,
        now: Callable[[], datetime],
        max_scans: int,
        signatures_max_age_s: float,
    ) -> None:
        self._objects = objects
        self._engine = engine
        self._meter = meter
        self._now = now
        self._places = asyncio.Semaphore(max_scans)
        self._max_age_s = signatures_max_age_s
        self._testing = asyncio.Lock()
        self._tests = 0
        self._tested_at: datetime | None = None
        self._signatures = Signatures("untested")
        self._why = "the engine has not been tested yet"

    async def scan(self, key: str, etag: str, size_bytes: int, content_type: str = "") -> Report:
        """Streams the object through the engine and says what it found.

        Args:
            content_type: Whose structure the bytes must have; "": any.

        Raises:
            MediaError: SCANNER_UNAVAILABLE, nothing was decided; OBJECT_CHANGED, not the object that was sealed.
        """
        async with self._places:
            await self._trust()
            started = self._now()
            report = await self._read_through(key, etag, size_bytes, content_type)
        self._meter.scanned(report.finding.outcome, size_bytes, (self._now() - started).total_seconds())
        return report

    async def _read_through(self, key: str, etag: str, size_bytes: int, content_type: str) -> Report:
        tally = _Tally(self._objects.read(key, if_match=etag), Walk(content_type, size_bytes))
        try:
            # Broken off in the middle, the store's connection must not stay open until somebody collects it.
            async with aclosing(tally.passed_on()) as chunks, asyncio.timeout(domain.deadline_s(size_bytes)):
                reply = await self._engine.scan(chunks)
                async for _ in chunks:
                    pass  # refused in the middle: the report is about the whole object all the same
                await tally.settled()
        except TimeoutError as exc:
            raise self._distrust(f"no answer within {domain.deadline_s(size_bytes):.0f} s") from exc
        except MediaError as exc:
            if exc.code is Code.SCANNER_UNAVAILABLE:
                raise self._distrust("the engine broke off") from exc
            if exc.code is Code.NOT_FOUND:
                raise MediaError(Code.OBJECT_CHANGED, why=f"no object {key}") from exc
            raise
        found = domain.finding(reply)
        if found is None:
            raise self._distrust(f"answered {reply[:200]!r}")
        if tally.size_bytes != size_bytes:
            # An answer about another number of bytes is an answer about something else.
            raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"read {tally.size_bytes} of {size_bytes} bytes")
        malformed = tally.malformed()
        if malformed:
            log.info("malformed", extra={"key": key, "code": malformed.code, "why": malformed.why})
        return Report(domain.judged(found, malformed.code if malformed else ""), tally.sha256(), tally.size_bytes)

    def _distrust(self, why: str) -> MediaError:
        """An engine that failed may come back as another one: it has to pass the test again first."""
        self._tested_at, self._why = None, why
        return MediaError(Code.SCANNER_UNAVAILABLE, why=why)

    async def _trust(self) -> None:
        """Whoever waits for somebody else's test takes its answer: an engine that hangs is asked once for all."""
        tests = self._tests
        async with self._testing:
            stale = self._tested_at is None or self._now() - self._tested_at > TRUSTED_FOR
            if stale and tests == self._tests:
                await self._test()
        self.state()

    async def test(self) -> None:
        """Shows the engine a needle and notes whether it was found, and how old its signatures are."""
        async with self._testing:
            await self._test()

    async def _test(self) -> None:
        try:
            async with asyncio.timeout(TEST_DEADLINE_S):
                found = domain.finding(await self._engine.scan(_one(domain.needle())))
                self._signatures = domain.parse_version(await self._engine.version())
        except (MediaError, TimeoutError) as exc:
            self._tested_at, self._why = None, f"clamd does not answer: {exc or 'too slow'}"
        else:
            hit = found is not None and found.outcome is Outcome.INFECTED
            self._tested_at = self._now() if hit else None
            self._why = "" if hit else f"the test needle was not found ({found})"
        self._tests += 1
        age_s = self._signatures.age_s(self._now())
        self._meter.tested(found=self._tested_at is not None, signature_age_s=age_s)

    async def keep_testing(self) -> None:
        """Tests for ever: often while it fails, else every minute."""
        trusted = True
        while True:
            await self.test()
            if trusted != (self._tested_at is not None):
                trusted = not trusted
                log.log(logging.INFO if trusted else logging.ERROR, "engine %s", self._why or "trusted")
            await asyncio.sleep(TEST_EVERY_S if trusted else TEST_AGAIN_S)

    def state(self) -> str:
        """What scans are done with.

        Raises:
            MediaError: SCANNER_UNAVAILABLE, with the reason why no verdict may be given now.
        """
        if self._tested_at is None or self._now() - self._tested_at > TRUSTED_FOR:
            raise MediaError(Code.SCANNER_UNAVAILABLE, why=self._why or "the last test is too long ago")
        age_s = self._signatures.age_s(self._now())
        if self._max_age_s and (age_s is None or age_s > self._max_age_s):
            raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"too old: {self._signatures.describe(self._now())}")
        return self._signatures.describe(self._now())


async def _one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk
