"""Forms with a streamed file."""

from collections.abc import AsyncIterator

from services.platforms.forms import form


async def test_fields_come_first_in_their_order_and_the_length_is_told() -> None:
    async def file() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    made = form({"key": "k", "policy": "p"}, name="file", content_type="video/mp4", size_bytes=6, file=file())
    whole = b"".join([piece async for piece in made.content])
    assert len(whole) == int(made.headers["Content-Length"])
    assert whole.index(b'name="key"') < whole.index(b'name="policy"') < whole.index(b'name="file"')
    assert b"Content-Type: video/mp4\r\n\r\nabcdef\r\n--" in whole
