"""Uploads told in HTTP/2 as nobody may: each would be something else in HTTP/1.1, or is nothing at all."""

import struct
from collections.abc import Callable, Sequence

from hyperframe import frame as frames

from tests.integration.http2 import Fields, Peer
from tests.media import jpeg

Parts = Sequence[frames.Frame | bytes]
LIE, NEXT = 1, 3
# Small enough for one frame.
FORM = (
    b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="photo.j"\r\n\r\n'
    + jpeg(96, 64)
    + b"\r\n--XyZ--\r\n"
)
LENGTH = len(FORM)
SMUGGLED_PATH = b"/carried-along"
SMUGGLED = b"GET " + SMUGGLED_PATH + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def fields_of(key: str, path: bytes = b"/v1/media") -> Fields:
    """Of an upload that is what it says."""
    return (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"x"),
        (b":path", path),
        (b"authorization", f"Bearer {key}".encode()),
        (b"content-type", b"multipart/form-data; boundary=XyZ"),
    )


def body(*pieces: bytes, stream_id: int = LIE) -> frames.DataFrame:
    """A whole one."""
    return frames.DataFrame(stream_id, b"".join(pieces), flags=["END_STREAM"])


def part(piece: bytes) -> frames.DataFrame:
    """Of a body that goes on."""
    return frames.DataFrame(LIE, piece)


def raw(kind: int, flags: int, stream_id: int, body: bytes, size: int | None = None) -> bytes:
    """A frame no library makes. size: what it says its own is."""
    told = len(body) if size is None else size
    return told.to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream_id) + body


Change = Callable[[Fields], Fields]


def with_(*more: tuple[bytes, bytes]) -> Change:
    return lambda fields: (*fields, *more)


def first(*more: tuple[bytes, bytes]) -> Change:
    return lambda fields: (*more, *fields)


def without(name: bytes) -> Change:
    return lambda fields: tuple(pair for pair in fields if pair[0] != name)


def instead(name: bytes, value: bytes) -> Change:
    return lambda fields: tuple((name, value) if pair[0] == name else pair for pair in fields)


def length(value: bytes | int) -> Change:
    return with_((b"content-length", str(value).encode() if isinstance(value, int) else value))


# Heads, each with the same whole body behind it.
HEADS: dict[str, Change] = {
    "a length too long": length(LENGTH + len(SMUGGLED) + 100),
    "a length far too long": length(99_999_999),
    "a length too short": length(LENGTH),
    "a length of nothing": length(0),
    "a length that is no number": length(b"x"),
    "an empty length": length(b""),
    "a negative length": length(-1),
    "a length with a plus": length(b"+%d" % (LENGTH + len(SMUGGLED))),
    "a hexadecimal length": length(b"0x%x" % (LENGTH + len(SMUGGLED))),
    "a length past 64 bits": length(2**64 + LENGTH + len(SMUGGLED)),
    "two lengths": with_((b"content-length", b"5"), (b"content-length", b"%d" % LENGTH)),
    "two lengths in one": length(b"%d, 5" % LENGTH),
    "a length among pseudo-headers": first((b"content-length", b"5")),
    "chunks": with_((b"transfer-encoding", b"chunked")),
    "chunks and a length": with_((b"transfer-encoding", b"chunked"), (b"content-length", b"5")),
    "chunks by another name": with_((b"Transfer-Encoding", b"chunked")),
    "chunks behind a space": with_((b"transfer-encoding ", b"chunked")),
    "chunks behind a colon": with_((b"transfer-encoding: chunked\r\nx", b"y")),
    "no coding": with_((b"transfer-encoding", b"identity")),
    "a connection": with_((b"connection", b"close")),
    "a connection that drops a header": with_((b"connection", b"authorization")),
    "a connection kept": with_((b"keep-alive", b"timeout=5")),
    "a connection to a proxy": with_((b"proxy-connection", b"keep-alive")),
    "an upgrade": with_((b"upgrade", b"h2c")),
    "an upgrade with settings": with_((b"connection", b"upgrade, http2-settings"), (b"http2-settings", b"AAMAAABk")),
    "trailers and more wanted": with_((b"te", b"trailers, chunked")),
    "two methods": first((b":method", b"GET")),
    "two paths": first((b":path", b"/v1/posts")),
    "two schemes": first((b":scheme", b"https")),
    "two authorities": first((b":authority", b"y")),
    "a late path": with_((b":path", b"/carried-along")),
    "a late method": with_((b":method", b"GET")),
    "no method": without(b":method"),
    "no path": without(b":path"),
    "no scheme": without(b":scheme"),
    "no authority": without(b":authority"),
    "an empty path": instead(b":path", b""),
    "an empty method": instead(b":method", b""),
    "an unknown pseudo-header": first((b":proxy", b"x")),
    "a pseudo-header of answers": first((b":status", b"200")),
    "a protocol": first((b":protocol", b"websocket")),
    "a tunnel": instead(b":method", b"CONNECT"),
    "a path with a request": instead(b":path", b"/v1/media HTTP/1.1\r\nHost: x\r\n\r\nGET /carried-along"),
    "a path with a space": instead(b":path", b"/v1/media HTTP/1.1"),
    "a path with a tab": instead(b":path", b"/v1/media\tx"),
    "a path with a NUL": instead(b":path", b"/v1/media\0"),
    "a path without a slash": instead(b":path", b"v1/media"),
    "a path with a host": instead(b":path", b"http://y/v1/media"),
    "a path beyond ASCII": instead(b":path", b"/v1/m\xc3\xa9dia"),
    "a method with a request": instead(b":method", b"GET /carried-along HTTP/1.1\r\nHost: x\r\n\r\nPOST"),
    "a method with a space": instead(b":method", b"PO ST"),
    "an authority with a header": instead(b":authority", b"x\r\ntransfer-encoding: chunked"),
    "an authority with a path": instead(b":authority", b"x/carried-along"),
    "a scheme with a request": instead(b":scheme", b"http://y/carried-along HTTP/1.1\r\nx: "),
    "a name in capitals": with_((b"X-Name", b"a")),
    "a name with a space": with_((b"x name", b"a")),
    "a name with a line": with_((b"x\r\ntransfer-encoding: chunked\r\ny", b"a")),
    "a name with a line feed": with_((b"x\ny", b"a")),
    "a name with a NUL": with_((b"x\0y", b"a")),
    "a name with a colon": with_((b"x:y", b"a")),
    "a name beyond ASCII": with_((b"x-\xe9", b"a")),
    "a name with an underscore": with_((b"content_length", b"5")),
    "an empty name": with_((b"", b"a")),
    "a value with a line": with_((b"x-a", b"b\r\ntransfer-encoding: chunked")),
    "a value with a request": with_((b"x-a", b"b\r\n\r\nGET /carried-along HTTP/1.1\r\nhost: x")),
    "a value with a line feed": with_((b"x-a", b"b\ncontent-length: 5")),
    "a value with a carriage return": with_((b"x-a", b"b\rcontent-length: 5")),
    "a value with a NUL": with_((b"x-a", b"b\0c")),
}


def trailers(*pairs: tuple[bytes, bytes]) -> Callable[[Peer, Fields], Parts]:
    """The body, then these."""
    return lambda speaker, fields: (
        speaker.head(LIE, fields),
        part(FORM),
        speaker.head(LIE, pairs, "END_HEADERS", "END_STREAM"),
    )


def nothing_but_a_head(speaker: Peer, fields: Fields) -> Parts:
    told = (*fields, (b"content-length", b"%d" % LENGTH))
    return (speaker.head(LIE, told, "END_HEADERS", "END_STREAM"),)


def split(speaker: Peer, fields: Fields, between: frames.Frame | bytes) -> Parts:
    """A head in two frames with something between them."""
    block = speaker.head(LIE, fields).data
    rest = frames.ContinuationFrame(LIE, block[20:], flags=["END_HEADERS"])
    return frames.HeadersFrame(LIE, block[:20]), between, rest, body(FORM)


# What is wrong with the frames themselves.
FRAMES: dict[str, Callable[[Peer, Fields], Parts]] = {
    "a length and no body": nothing_but_a_head,
    "trailers with a length": trailers((b"content-length", b"5")),
    "trailers with chunks": trailers((b"transfer-encoding", b"chunked")),
    "trailers with a path": trailers((b":path", b"/carried-along")),
    "trailers in capitals": trailers((b"X-A", b"b")),
    "trailers with a line": trailers((b"x-a", b"b\r\n\r\nGET /carried-along HTTP/1.1\r\nhost: x")),
    "trailers that do not end": lambda speaker, fields: (
        speaker.head(LIE, fields),
        part(FORM),
        speaker.head(LIE, [(b"x-a", b"b")]),
        body(SMUGGLED),
    ),
    "a body without a head": lambda speaker, fields: (body(FORM),),
    "a body of nobody": lambda speaker, fields: (speaker.head(LIE, fields), raw(0, 1, 0, FORM)),
    "a body behind its end": lambda speaker, fields: (
        speaker.head(LIE, fields, "END_HEADERS", "END_STREAM"),
        body(FORM),
    ),
    "another head behind its end": lambda speaker, fields: (
        speaker.head(LIE, fields, "END_HEADERS", "END_STREAM"),
        speaker.head(LIE, fields, "END_HEADERS", "END_STREAM"),
    ),
    "padding longer than its frame": lambda speaker, fields: (
        speaker.head(LIE, fields),
        raw(0, 9, LIE, b"\xff" + FORM[:99]),
    ),
    "a frame larger than any": lambda speaker, fields: (speaker.head(LIE, fields), raw(0, 1, LIE, b"x" * 20_000)),
    "a frame that says it is larger": lambda speaker, fields: (
        speaker.head(LIE, fields),
        raw(0, 1, LIE, FORM, size=(1 << 24) - 1),
    ),
    "an even stream": lambda speaker, fields: (speaker.head(2, fields), body(FORM, stream_id=2)),
    "a head of nobody": lambda speaker, fields: (raw(1, 4, 0, speaker.head(LIE, fields).data), body(FORM)),
    "a head that hangs on itself": lambda speaker, fields: (
        raw(1, 0x24, LIE, struct.pack("!IB", LIE, 16) + speaker.head(LIE, fields).data),
        body(FORM),
    ),
    "a head that cannot be unpacked": lambda speaker, fields: (
        frames.HeadersFrame(LIE, b"\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS"]),
        body(FORM),
    ),
    "a continuation of nothing": lambda speaker, fields: (frames.ContinuationFrame(LIE, b"", flags=["END_HEADERS"]),),
    "a body in the middle of a head": lambda speaker, fields: split(speaker, fields, part(FORM)),
    "a question in the middle of a head": lambda speaker, fields: split(speaker, fields, frames.PingFrame(0, b"x" * 8)),
    "another's head in the middle of a head": lambda speaker, fields: split(
        speaker, fields, frames.HeadersFrame(NEXT, b"", flags=["END_HEADERS"])
    ),
    "a promise": lambda speaker, fields: (raw(5, 4, LIE, struct.pack("!I", 2) + speaker.head(LIE, fields).data),),
    "an end of what never began": lambda speaker, fields: (frames.RstStreamFrame(LIE, error_code=8),),
    "a window of nothing": lambda speaker, fields: (speaker.head(LIE, fields), raw(8, 0, LIE, bytes(4))),
    "a window past all": lambda speaker, fields: (
        speaker.head(LIE, fields),
        frames.WindowUpdateFrame(LIE, window_increment=2**31 - 1),
    ),
    "settings of half a word": lambda speaker, fields: (raw(4, 0, 0, b"\0\4\0"),),
}


LIES = (*HEADS, *FRAMES)


def lie(speaker: Peer, key: str, name: str) -> None:
    """Sends one of LIES on the stream LIE."""
    fields = fields_of(key)
    if name in FRAMES:
        speaker.send(*FRAMES[name](speaker, fields))
    else:
        speaker.send(speaker.head(LIE, HEADS[name](fields)), body(FORM, SMUGGLED))
