"""A form becomes frames for ingest, its parts in any order."""

from itertools import permutations

import pytest
from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import media_pb2

from services.common.errors import Code, MediaError
from services.gateway import upload
from services.gateway.multipart import PartBegin, PartData, PartEnd
from services.gateway.upload import Form

FILE, KIND, ALT = ("file", b"bytes"), ("kind", b"image"), ("altText", "Wörter".encode())


class Frames:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[pb.UploadMediaRequest] = []

    async def write(self, frame: pb.UploadMediaRequest) -> None:
        self.frames.append(frame)

    @property
    def content(self) -> bytes:
        return b"".join(frame.chunk for frame in self.frames)


async def fill(form: Form, *parts: tuple[str, bytes], filename: str = "a.jpg") -> bytes:
    for name, content in parts:
        await form.take(PartBegin(name, filename if name == "file" else None))
        await form.take(PartData(content))
        await form.take(PartEnd())
    return await form.finish()


async def refused(*parts: tuple[str, bytes]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await fill(Form(Frames(), fingerprinted=True), *parts)
    return caught.value


@pytest.mark.parametrize("order", list(permutations((FILE, KIND, ALT))))
async def test_any_order_of_parts_is_one_upload(order: tuple[tuple[str, bytes], ...]) -> None:
    sink = Frames()
    await fill(Form(sink, fingerprinted=False), *order)
    assert [frame.WhichOneof("frame") for frame in sink.frames] == ["header", "chunk", "trailer"]
    assert sink.frames[0].header.filename == "a.jpg"
    assert sink.content == b"bytes"
    assert sink.frames[-1].trailer == pb.UploadTrailer(kind=media_pb2.MEDIA_KIND_IMAGE, alt_text="Wörter")


async def test_what_is_not_said_is_not_sent() -> None:
    sink = Frames()
    await fill(Form(sink, fingerprinted=False), FILE)
    assert sink.frames[-1].trailer == pb.UploadTrailer()
    assert not sink.frames[-1].trailer.HasField("alt_text")


async def test_a_large_file_goes_on_in_chunks_as_it_comes() -> None:
    sink = Frames()
    form = Form(sink, fingerprinted=False)
    await form.take(PartBegin("file", "a.mp4"))
    for _ in range(40):
        await form.take(PartData(b"x" * 50_000))
        assert len(form._buffer) < upload.CHUNK_BYTES
    await form.take(PartEnd())
    await form.finish()
    assert sink.content == b"x" * 2_000_000
    assert max(len(frame.chunk) for frame in sink.frames) == upload.CHUNK_BYTES


async def test_the_fingerprint_is_of_the_content_and_not_of_its_form() -> None:
    prints = {await fill(Form(Frames(), fingerprinted=True), *order) for order in permutations((FILE, KIND, ALT))}
    assert len(prints) == 1
    others = [
        await fill(Form(Frames(), fingerprinted=True), *parts)
        for parts in (
            (FILE,),
            (FILE, KIND),
            (FILE, ALT),
            (("file", b"other"), KIND, ALT),
            (FILE, KIND, ("altText", b"")),
        )
    ]
    renamed = await fill(Form(Frames(), fingerprinted=True), FILE, KIND, ALT, filename="b.jpg")
    assert len({*others, renamed} | prints) == len(others) + 2


@pytest.mark.parametrize(
    ("parts", "code", "field"),
    [
        ((), Code.MEDIA_MISSING_FILE, None),
        ((KIND, ALT), Code.MEDIA_MISSING_FILE, None),
        ((FILE, FILE), Code.INVALID_REQUEST, "file"),
        ((FILE, KIND, KIND), Code.INVALID_REQUEST, "kind"),
        ((FILE, ("kind", b"audio")), Code.INVALID_REQUEST, "kind"),
        ((FILE, ("kind", b"")), Code.INVALID_REQUEST, "kind"),
        ((FILE, ("other", b"")), Code.INVALID_REQUEST, "other"),
        ((FILE, ("alttext", b"")), Code.INVALID_REQUEST, "alttext"),
        ((FILE, ("altText", b"\xff")), Code.INVALID_REQUEST, "altText"),
        ((FILE, ("altText", b"a\x00b")), Code.INVALID_REQUEST, "altText"),
        ((FILE, ("altText", b"a" * (upload.MAX_FIELD_BYTES + 1))), Code.INVALID_REQUEST, "altText"),
    ],
)
async def test_a_form_that_is_wrong_says_which_part(
    parts: tuple[tuple[str, bytes], ...], code: Code, field: str | None
) -> None:
    error = await refused(*parts)
    assert error.code is code
    assert [row.field for row in error.violations] == ([field] if field else [])


async def test_a_field_too_long_is_refused_at_its_first_piece_too_many() -> None:
    form = Form(Frames(), fingerprinted=False)
    await form.take(PartBegin("altText", None))
    with pytest.raises(MediaError):
        await form.take(PartData(b"a" * 65_536))
    assert len(form._buffer) < upload.MAX_FIELD_BYTES + 65_537


async def test_a_file_over_the_limit_is_refused_with_the_way_to_send_it() -> None:
    form = Form(upload.Nowhere(), fingerprinted=False)
    await form.take(PartBegin("file", "a.mp4"))
    piece = PartData(b"x" * 1_000_000)
    for _ in range(100):
        await form.take(piece)
    with pytest.raises(MediaError) as caught:
        await form.take(PartData(b"x"))
    assert caught.value.code is Code.MEDIA_TOO_LARGE
    assert caught.value.details["use"] == "resumable"
