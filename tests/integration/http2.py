"""HTTP/2 written by hand, frame by frame, as no client's library would; what comes back, by request."""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import hpack
from hyperframe import frame as frames

from deploy.local.ports import HOST

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Fields = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    """What came on one stream. reset: an error code, where the stream ended by one."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: int | None = None
    whole: bool = False

    @property
    def status(self) -> int:
        """0 as long as there is none."""
        return int(self.headers.get(":status", 0))

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return self.whole or self.reset is not None


class Peer:
    """One connection, written to by hand."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._received = bytearray()
        self.answers: dict[int, Answer] = {}
        self.sent_bytes = 0
        self.ended = False

    def send(self, *parts: frames.Frame | bytes) -> None:
        """Write them; afterwards `ended` tells whether the other side has enough of us."""
        data = b"".join(part if isinstance(part, bytes) else part.serialize() for part in parts)
        try:
            self._sock.sendall(data)
            self.sent_bytes += len(data)
        except (ConnectionError, TimeoutError):
            self.ended = True

    def head(self, stream_id: int, fields: Fields, *flags: str) -> frames.HeadersFrame:
        """These fields as they are, none of them put in a table; the request goes on, unless `flags` say otherwise."""
        block = self._encoder.encode([hpack.NeverIndexedHeaderTuple(*pair) for pair in fields], huffman=False)
        return frames.HeadersFrame(stream_id, block, flags=flags or ("END_HEADERS",))

    def receive(self, within_s: float) -> list[tuple[int, int, bytes]]:
        """What came, until nothing comes for so long: type, stream and body of each frame."""
        found = []
        while self._read(within_s):
            found += [(kind, stream_id, body) for kind, _, stream_id, body in self._frames()]
        return found

    def answer(self, stream_id: int, *, within_s: float = 60.0) -> Answer:
        """What came on that stream, once it or the connection is over. Raises AssertionError where neither ends."""
        found, ends = self.answers.setdefault(stream_id, Answer()), time.monotonic() + within_s
        while not found.over and self._read(ends - time.monotonic()):
            for frame in self._frames():
                self._take(*frame)
        assert found.over or self.ended, f"no end of stream {stream_id} after {within_s:.0f} s"
        return found

    def _read(self, within_s: float) -> bool:
        """Whether anything came."""
        self._sock.settimeout(max(within_s, 0.001))
        try:
            piece = self._sock.recv(1 << 16)
        except TimeoutError:
            return False
        except ConnectionError:
            piece = b""
        self._received += piece
        self.ended = self.ended or not piece
        return bool(piece)

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                return
            kind, flags, (stream_id,) = *self._received[3:5], struct.unpack("!I", self._received[5:9])
            body = bytes(self._received[9 : 9 + size])
            del self._received[: 9 + size]
            yield kind, flags, stream_id, body

    def _take(self, kind: int, flags: int, stream_id: int, body: bytes) -> None:
        answer = self.answers.setdefault(stream_id, Answer())
        match kind:
            case frames.HeadersFrame.type:  # One frame each, without padding: Envoy's are so.
                answer.headers |= {str(name): str(value) for name, value in self._decoder.decode(body)}
            case frames.DataFrame.type:
                answer.body += body
            case frames.RstStreamFrame.type:
                answer.reset = int.from_bytes(body, "big")
        answer.whole = answer.whole or bool(kind in (frames.HeadersFrame.type, frames.DataFrame.type) and flags & 1)


@contextmanager
def peer(port: int) -> Iterator[Peer]:
    """A connection on which both have yet to say anything but our settings."""
    with socket.create_connection((HOST, port), timeout=10) as sock:
        sock.sendall(PREFACE + frames.SettingsFrame(0).serialize())
        yield Peer(sock)
