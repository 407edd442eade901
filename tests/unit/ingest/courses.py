"""Any course one upload can take, against a model: the machine that tests on fakes and on real stores share."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from services.common.errors import Code, MediaError
from services.ingest.app.resuming import Resuming
from services.ingest.app.stretching import Whole
from services.ingest.domain.upload import Digest, Part, Phase, Piece, Upload
from services.ingest.ports import UploadRef

T = TypeVar("T")

MOST_CALLS = 9  # to the stores, before which a fault may happen; a request makes about as many
# What the second of two writers may be told.
_SECOND = frozenset((Code.UPLOAD_LOCKED, Code.UPLOAD_OFFSET_CONFLICT, Code.UPLOAD_COMPLETE))


class Killed(Exception):  # noqa: N818
    """The process is gone: nothing it calls does anything any more."""


@dataclass(slots=True)
class Fault:
    """At one call to the outside: the process dies, or the call fails before its effect, or its answer is lost."""

    kind: Literal["none", "killed", "killed_after", "failed", "answer_lost"]
    at: int  # of the calls from 0; killed_after: the last one still has its effect
    calls: int = 0

    async def pass_through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The call, or what becomes of it."""
        number, self.calls = self.calls, self.calls + 1
        hit, over = number == self.at, number > self.at
        if (self.kind == "killed" and (hit or over)) or (self.kind == "killed_after" and over):
            raise Killed
        if hit and self.kind == "failed":
            raise MediaError(Code.UNAVAILABLE, why="by the test")
        result = await call()
        if hit and self.kind == "killed_after":
            raise Killed
        if hit and self.kind == "answer_lost":
            raise MediaError(Code.UNAVAILABLE, why="by the test")
        return result


class Through:
    """A port whose every call passes the fault."""

    def __init__(self, port: Any, fault: Fault) -> None:
        self._port, self._fault = port, fault

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name == "read":
            return method
        return lambda *args, **kwargs: self._fault.pass_through(lambda: method(*args, **kwargs))


class Place(Protocol):
    """Where the upload lives.

    Attributes:
        data: The file.   least_part: bytes that every part but the last has.   chunk_bytes: as they come in.
    """

    data: bytes
    least_part: int
    chunk_bytes: int

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the loop of its stores."""

    async def begin(self, sha256: str) -> UploadRef: ...

    def resuming(self, fault: Fault) -> Resuming:
        """The use cases as another process has them, over ports that pass the fault."""

    async def find(self, ref: UploadRef) -> Upload: ...

    async def time_passes(self) -> None:
        """Nobody need wait for the dead."""

    async def sweep(self) -> None:
        """A round of all chores."""

    async def holds(self, upload: Upload, part: Part, data: bytes) -> bool:
        """Whether that part is stored with these bytes."""

    async def tail(self, upload: Upload) -> bytes: ...

    async def assert_sealed(self, upload: Upload, data: bytes) -> None:
        """One object of these bytes, told once, and no multipart upload open."""


NO_FAULT = Fault("none", 0)
KINDS = ("none", "none", "killed", "killed_after", "failed", "answer_lost")
faults = st.builds(Fault, st.sampled_from(KINDS), st.integers(0, MOST_CALLS))
algorithms = st.sampled_from(("md5", "sha1", "sha256", "sha512"))
shares = st.floats(0, 1)


async def body(data: bytes, *, whole: bool = True, chunk_bytes: int = 1 << 20) -> AsyncIterator[bytes | Whole]:
    """As it comes from a client. whole: it was not cut off."""
    for at in range(0, len(data), chunk_bytes):
        yield data[at : at + chunk_bytes]
    if whole:
        yield Whole()


class Course(RuleBasedStateMachine):
    """One upload. The model: the file, and the highest offset anybody was told. Pieces are as each dialect makes them:
    PUT says both lengths, tus may have a checksum, the draft's upload may stay open."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.data = place.data
        self.told = 0
        self.ref = place.run(place.begin(hashlib.sha256(self.data).hexdigest()))

    @rule(share=shares, whole=st.booleans(), is_open=st.booleans(), says=st.booleans(), fault=faults)
    def append(self, share: float, whole: bool, is_open: bool, says: bool, fault: Fault) -> None:
        """At the true offset, with or without lengths, cut off or not, left open or not."""
        chunk = self._next(share)
        size, length = (len(self.data), len(chunk)) if says else (None, None)
        piece = Piece(offset=self.upload.offset, size_bytes=size, length_bytes=length, open=is_open)
        self._try(piece, chunk, fault, whole=whole)

    @rule(first=shares, share=shares)
    def append_anywhere(self, first: float, share: float) -> None:
        """Only the true offset is taken."""
        before = self.upload
        offset = int(first * len(self.data))
        chunk = self.data[offset : offset + 1 + int(share * len(self.data) / 4)]
        code = self._try(Piece(offset=offset, length_bytes=len(chunk)), chunk, NO_FAULT)
        if code is None and before.phase is Phase.RECEIVING:
            assert offset == before.offset

    @rule(extra=st.integers(1, 5000), lies=st.booleans())
    def append_too_much(self, extra: int, lies: bool) -> None:
        """Past the end nothing is taken, and another length of the file is none of this upload's."""
        before = self.upload
        chunk = self.data[before.offset :] + bytes(extra)
        size = len(self.data) + extra if lies else None
        piece = Piece(offset=before.offset, size_bytes=size, length_bytes=len(chunk))
        code = self._try(piece, chunk, NO_FAULT)
        if before.phase is Phase.RECEIVING:
            assert code is (Code.LENGTH_MISMATCH if lies else Code.MEDIA_TOO_LARGE)
            assert self.upload.offset == before.offset

    @rule(share=shares, right=st.booleans(), algorithm=algorithms, fault=faults)
    def append_checked(self, share: float, right: bool, algorithm: str, fault: Fault) -> None:
        """With a checksum, right or wrong."""
        before, chunk = self.upload, self._next(share)
        value = hashlib.new(algorithm, chunk if right else chunk + b"x", usedforsecurity=False).digest()
        piece = Piece(offset=before.offset, digest=Digest(algorithm=algorithm, value=value))
        code = self._try(piece, chunk, fault)
        if not right:
            assert code is not None or fault.kind.startswith("killed") or before.phase is not Phase.RECEIVING
            assert self.upload.offset == before.offset
        if right and fault.kind == "none":
            assert code in (None, Code.UPLOAD_COMPLETE)

    @rule(one=shares, two=shares)
    def append_twice_at_once(self, one: float, two: float) -> None:
        """Two writers at the true offset: neither's bytes get between the other's."""
        offset, resuming = self.upload.offset, self.place.resuming(NO_FAULT)
        chunks = [self._next(share) for share in (one, two)]

        async def both() -> list[Upload | BaseException]:
            await self.place.time_passes()
            attempts = [resuming.append(self.ref, Piece(offset=offset), self._body(chunk)) for chunk in chunks]
            return await asyncio.gather(*attempts, return_exceptions=True)

        for outcome in self.place.run(both()):
            if isinstance(outcome, Upload):
                self.told = max(self.told, outcome.offset)
            else:
                assert isinstance(outcome, MediaError), outcome
                assert outcome.code in _SECOND, outcome

    @rule(fault=faults)
    def ask(self, fault: Fault) -> None:
        """How far is it?"""
        self._try(Piece(), b"", fault)

    @rule()
    def sweep(self) -> None:
        """Sweepers may come at any time."""
        self.place.run(self.place.sweep())

    @invariant()
    def nothing_told_is_lost(self) -> None:
        """And what is stored is what was sent."""
        upload = self.upload
        assert upload.offset >= self.told
        assert upload.phase in (Phase.RECEIVING, Phase.COMPLETE)
        self.place.run(self._assert_stored(upload))

    def teardown(self) -> None:
        """Whatever happened, it can be brought to its end."""
        self._try(Piece(), b"", NO_FAULT)
        upload = self.upload
        if upload.phase is Phase.RECEIVING:
            self._try(Piece(offset=upload.offset), self.data[upload.offset :], NO_FAULT)
        assert self.upload.phase is Phase.COMPLETE
        self.nothing_told_is_lost()

    @property
    def upload(self) -> Upload:
        """As the table has it."""
        return self.place.run(self.place.find(self.ref))

    def _next(self, share: float) -> bytes:
        offset = self.upload.offset
        return self.data[offset : offset + round(share * len(self.data))]

    def _body(self, chunk: bytes, *, whole: bool = True) -> AsyncIterator[bytes | Whole]:
        return body(chunk, whole=whole, chunk_bytes=self.place.chunk_bytes)

    async def _assert_stored(self, upload: Upload) -> None:
        if upload.phase is Phase.COMPLETE:
            await self.place.assert_sealed(upload, self.data)
            return
        at = 0
        for part in upload.parts:
            assert part.size_bytes >= self.place.least_part or at + part.size_bytes == len(self.data)
            assert upload.finishing or await self.place.holds(upload, part, self.data[at : at + part.size_bytes])
            at += part.size_bytes
        if upload.tail_bytes:
            assert await self.place.tail(upload) == self.data[at : upload.offset]

    def _try(self, piece: Piece, chunk: bytes, fault: Fault, *, whole: bool = True) -> Code | None:
        """What it was refused with, if it was."""
        played = Fault(fault.kind, fault.at)

        async def request() -> Upload:
            await self.place.time_passes()
            return await self.place.resuming(played).append(self.ref, piece, self._body(chunk, whole=whole))

        try:
            upload = self.place.run(request())
        except MediaError as error:
            return self._refused(error)
        except Killed:
            return None
        self.told = max(self.told, upload.offset)
        return None

    def _refused(self, error: MediaError) -> Code:
        if error.code is Code.UPLOAD_OFFSET_CONFLICT:
            assert error.details["offset"] == self.upload.offset
        return error.code


def run(make_place: Callable[[], Place], *, examples: int, steps: int) -> None:
    """Finds a course that ends badly, and the shortest such."""

    class Here(Course):
        def __init__(self) -> None:
            super().__init__(make_place())

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
