"""Content identifiers, as a PDS gives them to blobs and records. Pure.

Source: atproto.com/specs/data-model (CIDv1, sha-256, base32), ipld.io/specs/codecs/dag-cbor.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping

from services.platforms.ports import JSON

RAW, DAG_CBOR = 0x55, 0x71
_UINT, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = range(7)
_LINK_TAG = 42


def of_blob(sha256: str) -> str:
    """Of bytes with this digest, in hex."""
    return _text(_binary(RAW, bytes.fromhex(sha256)))


def of_record(record: Mapping[str, JSON]) -> str:
    """Of a JSON object, links as {"$link": cid}. ValueError if it has no DAG-CBOR form, as a float has none."""
    return _text(_binary(DAG_CBOR, hashlib.sha256(b"".join(_encoded(dict(record)))).digest()))


def _binary(codec: int, digest: bytes) -> bytes:
    return bytes([1, codec, 0x12, len(digest)]) + digest


def _text(cid: bytes) -> str:
    return "b" + base64.b32encode(cid).decode().lower().rstrip("=")


def _encoded(value: JSON) -> Iterator[bytes]:
    match value:
        case None:
            yield b"\xf6"
        case bool():
            yield b"\xf5" if value else b"\xf4"
        case int():
            yield _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case str():
            yield _head(_TEXT, len(value.encode())) + value.encode()
        case list():
            yield _head(_LIST, len(value))
            for item in value:
                yield from _encoded(item)
        case dict():
            yield from _encoded_object(value)
        case _:
            raise ValueError(f"{type(value).__name__} has no DAG-CBOR form here")


def _encoded_object(value: Mapping[str, JSON]) -> Iterator[bytes]:
    cid = value.get("$link")
    if len(value) == 1 and isinstance(cid, str):
        binary = b"\0" + base64.b32decode(cid[1:].upper() + "=" * (-(len(cid) - 1) % 8))
        yield _head(_TAG, _LINK_TAG) + _head(_BYTES, len(binary)) + binary
        return
    yield _head(_MAP, len(value))
    for key in sorted(value, key=lambda it: (len(it.encode()), it.encode())):
        yield from _encoded(key)
        yield from _encoded(value[key])


def _head(major: int, argument: int) -> bytes:
    for length, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if argument < 24:
            return bytes([major << 5 | argument])
        if argument < 1 << (8 * length):
            return bytes([major << 5 | info]) + argument.to_bytes(length, "big")
    raise ValueError(f"{argument} does not fit 64 bits")
