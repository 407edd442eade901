"""multipart/form-data as a stream: the same however it is cut, and bounded whatever it holds."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Code, MediaError
from services.gateway import multipart
from services.gateway.multipart import Event, Parser, PartBegin, PartData, PartEnd

BOUNDARY = b"XyZ"
Part = tuple[PartBegin, bytes]


def body(*parts: tuple[bytes, bytes], preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    """A form of header blocks and contents."""
    whole = preamble + (b"\r\n" if preamble else b"")
    for head, content in parts:
        whole += b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    return whole + b"--" + BOUNDARY + b"--" + epilogue


def field(name: str, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}'.encode()


def events(data: bytes, cuts: Sequence[int] = ()) -> Iterator[Event]:
    parser = Parser(BOUNDARY)
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        yield from parser.feed(data[start:end])
    parser.finish()


def parts(data: bytes, cuts: Sequence[int] = ()) -> list[Part]:
    """What a form holds, its pieces put together."""
    found: list[Part] = []
    content = bytearray()
    for event in events(data, cuts):
        match event:
            case PartBegin():
                begin = event
                content.clear()
            case PartData(piece):
                content += piece
            case PartEnd():
                found.append((begin, bytes(content)))
    return found


def refused(data: bytes) -> Code:
    with pytest.raises(MediaError) as caught:
        list(events(data))
    return caught.value.code


# Contents that look like the boundary, or its beginning, are what a cut could break.
CONTENT = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--", b"\r\n--Xy", b"XyZ", b"\r\n-", b"a"]), max_size=12
).map(b"".join)


@given(st.lists(CONTENT.filter(lambda content: b"\r\n--XyZ" not in b"\r\n" + content), max_size=4), st.data())
def test_a_form_means_the_same_however_it_is_cut(contents: list[bytes], data: st.DataObject) -> None:
    whole = body(*((field(f"f{index}"), content) for index, content in enumerate(contents)))
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8))
    expected = [(PartBegin(f"f{index}", None), content) for index, content in enumerate(contents)]
    assert parts(whole, cuts) == expected
    assert parts(whole, range(len(whole))) == expected


@given(st.binary(max_size=400))
def test_any_bytes_are_a_form_or_refused(data: bytes) -> None:
    try:
        parts(data)
    except MediaError as error:
        assert error.row.http in (400, 431)  # noqa: PT017  a form is as good


def test_preamble_epilogue_padding_and_other_headers_are_passed_over() -> None:
    head = b"content-type: image/jpeg\r\n" + field("file", '; filename="a.jpg"')
    whole = body((head, b"x"), preamble=b"hello", epilogue=b"\r\nbye").replace(b"--XyZ\r\n", b"--XyZ \t\r\n")
    assert parts(whole) == [(PartBegin("file", "a.jpg"), b"x")]


@pytest.mark.parametrize(
    ("more", "filename"),
    [
        ("", None),
        ('; filename=""', ""),
        ("; filename=a.jpg", "a.jpg"),
        ('; filename="a;b.jpg"', "a;b.jpg"),
        ('; filename="a\\"b.jpg"', 'a"b.jpg'),
        ('; filename="a%22b%0D%0A.jpg"', 'a"b\r\n.jpg'),
        ('; filename="C:\\fakepath\\a.jpg"', "C:\\fakepath\\a.jpg"),
        ('; filename="写真.jpg"', "写真.jpg"),
        ('; filename="../../etc/passwd"', "../../etc/passwd"),
        ("; FILENAME=\"a\"; filename*=UTF-8''b", "a"),
    ],
)
def test_a_file_name_is_read_as_browsers_write_it(more: str, filename: str | None) -> None:
    assert parts(body((field("file", more), b"")))[0][0] == PartBegin("file", filename)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Type: image/jpeg",
        b"Content-Disposition: attachment; name=file",
        b"Content-Disposition: form-data",
        b'Content-Disposition: form-data; name="a',
        b'Content-Disposition: form-data; name="a" x',
        b'Content-Disposition: form-data; name="a"; name="b"',
        b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        b"Content-Disposition : form-data; name=a",
        b"Content-Disposition: form-data;\r\n name=a",
        b"Content-Disposition: form-data; name=a\nX: y",
        b"Content-Disposition: form-data; name=a\x00b",
        b"Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        b"no colon",
    ],
)
def test_a_part_that_could_be_read_in_two_ways_is_malformed(head: bytes) -> None:
    assert refused(body((head, b"x"))) is Code.MULTIPART_MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--XyZ",
        b"--XyZ\r\n",
        body((field("a"), b"x"))[:-2],
        body((field("a"), b"x")).replace(b"\r\n", b"\n"),
        body((field("a"), b"x")).replace(b"--XyZ--", b"--Xyz--"),
        b"--XyZsuffix\r\n" + field("a") + b"\r\n\r\nx\r\n--XyZ--",
        b"--XyZ" + b" " * 100 + b"\r\n" + field("a") + b"\r\n\r\nx\r\n--XyZ--",
        body((field("a"), b"x"), preamble=b"p" * (multipart.MAX_PREAMBLE_BYTES + 1)),
        body((field("a"), b"x"), epilogue=b"e" * (multipart.MAX_EPILOGUE_BYTES + 1)),
        b"p" * 100_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_form_that_does_not_end_as_it_should_is_malformed(data: bytes) -> None:
    assert refused(data) is Code.MULTIPART_MALFORMED


def test_parts_and_headers_are_counted() -> None:
    most = [(field("a"), b"")] * multipart.MAX_PARTS
    assert len(parts(body(*most))) == multipart.MAX_PARTS
    assert refused(body(*most, (field("a"), b""))) is Code.MULTIPART_TOO_MANY_PARTS
    many = b"\r\n".join(f"x-{index}: y".encode() for index in range(10_000))
    assert refused(body((many, b""))) is Code.HEADERS_TOO_LARGE
    few = b"\r\n".join(f"x-{index}: y".encode() for index in range(multipart.MAX_HEADERS))
    assert refused(body((few + b"\r\n" + field("a"), b""))) is Code.HEADERS_TOO_LARGE
    assert refused(body((b"x: " + b"y" * 1_000_000, b""))) is Code.HEADERS_TOO_LARGE


def test_a_form_within_a_form_is_bytes() -> None:
    inner = body((field("x"), b"y")).replace(b"XyZ", b"Other")
    assert parts(body((field("file"), inner))) == [(PartBegin("file", None), inner)]


@pytest.mark.parametrize("filler", [b"\x00", b"\r\n--Xy", b"\r", b"-"])
def test_memory_does_not_grow_with_the_body(filler: bytes) -> None:
    parser = Parser(BOUNDARY)
    piece = filler * (64 * 1024 // len(filler))
    list(parser.feed(b"--XyZ\r\n" + field("file") + b"\r\n\r\n"))
    passed = 0
    for _ in range(160):  # 10 MB
        passed += sum(len(event.data) for event in parser.feed(piece) if isinstance(event, PartData))
        assert len(parser._buffer) < 100
    assert passed > 160 * len(piece) - 100
