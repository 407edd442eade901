"""multipart/form-data with a streamed file: httpx's own needs the file in memory or on disk."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A body to send, with its headers; its length is known before its file is read."""

    headers: Mapping[str, str]
    content: AsyncIterator[bytes]


def form(
    fields: Mapping[str, str], *, name: str, content_type: str, size_bytes: int, file: AsyncIterator[bytes]
) -> Form:
    """All fields in their order, then the file as the part `name`.

    Args:
        fields: Names without quotes or line breaks.
        size_bytes: Exact length of what `file` yields.
    """
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    head = "".join(parts).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    async def content() -> AsyncIterator[bytes]:
        yield head
        async for piece in file:
            yield piece
        yield tail

    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size_bytes + len(tail)),
    }
    return Form(headers, content())
