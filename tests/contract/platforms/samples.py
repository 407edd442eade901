"""Small real media, made here, and drafts that hold them."""

import io
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import av
from PIL import Image

from services.platforms.ports import JSON, Asset, Draft

PIECE_BYTES = 100_000  # not a divisor of any size a platform asks for


def picture(width: int = 320, height: int = 240, kind: str = "JPEG") -> bytes:
    """A still of noise, no two of which are alike; kind as Pillow calls it."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(3 * width * height)).save(buffer, kind)
    return buffer.getvalue()


def gif(width: int = 64, height: int = 48, frames: int = 4) -> bytes:
    """An animation in which every frame differs."""
    buffer = io.BytesIO()
    first, *rest = [Image.new("RGB", (width, height), (40 * n % 256, 90, 200 - n % 200)) for n in range(frames)]
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=80, loop=0)
    return buffer.getvalue()


def film(seconds: float = 2, width: int = 128, height: int = 128, codec: str = "libx264") -> bytes:
    """A video of noise, ten frames a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = cast(av.VideoStream, out.add_stream(codec, rate=10))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(int(10 * seconds)):
            still = Image.frombytes("RGB", (width, height), os.urandom(3 * width * height))
            out.mux(stream.encode(av.VideoFrame.from_image(still)))  # type: ignore[no-untyped-call]
        out.mux(stream.encode())
    return buffer.getvalue()


def padded(video: bytes, size_bytes: int) -> bytes:
    """The same film with a `free` box behind it, which players skip."""
    rest = size_bytes - len(video)
    return video + rest.to_bytes(4, "big") + b"free" + os.urandom(rest - 8)


@dataclass
class Reading:
    """An asset's bytes, which counts how often they were opened and can break off."""

    data: bytes
    opened: int = 0
    breaks_after: int | None = None

    async def __call__(self) -> AsyncIterator[bytes]:
        """In pieces."""
        self.opened += 1
        for at in range(0, len(self.data), PIECE_BYTES):
            if self.breaks_after is not None and at >= self.breaks_after:
                raise ConnectionError("the file broke off")
            yield self.data[at : at + PIECE_BYTES]


def asset(data: bytes, *, alt_text: str | None = None, content_type: str = "", url: str = "") -> Asset:
    """What the publisher would hand over for these bytes."""
    if b"ftyp" in data[:12]:
        width, height, kind, duration_s = _of_film(data)
    else:
        with Image.open(io.BytesIO(data)) as image:
            (width, height), kind, duration_s = image.size, f"image/{(image.format or '').lower()}", None
    return Asset(
        preset="sample",
        content_type=content_type or kind,
        size_bytes=len(data),
        width=width,
        height=height,
        duration_s=duration_s,
        alt_text=alt_text,
        url=url or "https://cdn.example.com/sample",
        read=Reading(data),
    )


def _of_film(data: bytes) -> tuple[int, int, str, float | None]:
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, "video/mp4", (container.duration or 0) / 1_000_000


def mislabelled(data: bytes, content_type: str) -> Asset:
    """Bytes that are not what they are said to be."""
    return Asset(
        preset="sample", content_type=content_type, size_bytes=len(data), width=1, height=1, url="", read=Reading(data)
    )


def draft(
    text: str = "", *assets: Asset, cover: Asset | None = None, options: Mapping[str, JSON] | None = None
) -> Draft:
    """A draft made now."""
    return Draft(text=text, assets=assets, cover=cover, options=options or {}, created_at=datetime.now(UTC))


@dataclass
class Steps:
    """ports.Progress in memory; `saves` counts."""

    kept: dict[str, Mapping[str, JSON]] = field(default_factory=dict)
    saves: int = 0

    def load(self, step: str) -> Mapping[str, JSON] | None:
        """What was saved for this step."""
        return self.kept.get(step)

    async def save(self, step: str, state: Mapping[str, JSON]) -> None:
        """Keeps it."""
        self.kept[step] = state
        self.saves += 1
