"""Small real media, made here."""

import io
import os
from collections.abc import Sequence

import av
from PIL import Image


def jpeg(edge: int = 320) -> bytes:
    """A picture no two of which are alike."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (edge, edge), os.urandom(3 * edge * edge)).save(buffer, "JPEG")
    return buffer.getvalue()


def mp4(seconds: int = 1) -> bytes:
    """A film of noise."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        for _ in range(10 * seconds):
            picture = Image.frombytes("RGB", (128, 128), os.urandom(3 * 128 * 128))
            out.mux(stream.encode(av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
        out.mux(stream.encode())
    return buffer.getvalue()


def padded(film: bytes, size_bytes: int) -> bytes:
    """The same film with a `free` box behind it, which players skip: any size wanted, as valid as before."""
    rest = size_bytes - len(film)
    return film + rest.to_bytes(4, "big") + b"free" + bytes(rest - 8)


def chunks(data: bytes, size_bytes: int = 1 << 18) -> Sequence[bytes]:
    """As a client would send it."""
    return [data[at : at + size_bytes] for at in range(0, len(data), size_bytes)]
