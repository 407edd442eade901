"""MP4, MOV and WebM: what phones and editors write is accepted, index bombs and torsos are not."""

import io
import struct

import av
import pytest

from services.common.errors import Code
from tests.media import film, infected_mp4, padded
from tests.unit.scanner.structure.boxes import (
    audio,
    audio2,
    block,
    box,
    cluster,
    element,
    full,
    index_bomb,
    movie,
    mvhd,
    pixels,
    plain_tables,
    rows,
    sound,
    stsd,
    stsz,
    tracks,
    trak,
    visual,
    webm,
    webm_track,
)
from tests.unit.scanner.structure.walks import bomb_code, code_of

MP4, MOV, WEBM = "video/mp4", "video/quicktime", "video/webm"
FILM = film(audio=True)


def remuxed(container: str, **options: str) -> bytes:
    """The same film, written another way."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(FILM), "r") as source, av.open(buffer, "w", format=container, options=options) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return buffer.getvalue()


def phone(*more: bytes, behind: bytes = b"") -> bytes:
    """A picture and a sound track, as phones put them."""
    picture, voice = trak(*plain_tables()), trak(*plain_tables(), handler=b"soun", track_id=2)
    return movie(picture, voice, *more, behind=behind)


def elst(*edits: tuple[int, int], count: int | None = None) -> bytes:
    """Duration and start of each, of version 0."""
    table = b"".join(struct.pack(">Iii", duration, start, 1 << 16) for duration, start in edits)
    return box(b"edts", full(b"elst", len(edits) if count is None else count, tail=table))


def fragment(*runs: bytes, at: int = 0, track_id: int = 1) -> bytes:
    """`moof` with its data."""
    traf = box(b"traf", full(b"tfhd", track_id), full(b"tfdt", at), *runs)
    return box(b"moof", full(b"mfhd", 1), traf) + box(b"mdat", bytes(100))


def trun(count: int, ticks: int = 10, size: int = 5) -> bytes:
    return full(b"trun", count, *[ticks, size] * count, flags=0x300)


FRAGMENTED = trak(rows(b"stts"), rows(b"stsc"), stsz(0), rows(b"stco"))

ORDINARY = [
    pytest.param(MP4, FILM, id="mp4"),
    pytest.param(MOV, film(container="mov", audio=True, rotation=90), id="mov-turned"),
    pytest.param(MP4, remuxed("mp4", movflags="frag_keyframe+empty_moov"), id="mp4-fragmented"),
    pytest.param(MP4, remuxed("mp4", movflags="frag_every_frame+empty_moov+default_base_moof"), id="mp4-every-frame"),
    pytest.param(MP4, remuxed("mp4", movflags="dash"), id="mp4-dash"),
    pytest.param(MP4, remuxed("mp4", movflags="cmaf"), id="mp4-cmaf"),
    pytest.param(MP4, remuxed("mp4", movflags="hybrid_fragmented"), id="mp4-hybrid"),
    pytest.param(MOV, remuxed("mov", movflags="negative_cts_offsets"), id="mov-negative-offsets"),
    pytest.param(MP4, infected_mp4(), id="mp4-with-a-free-box-of-anything"),
    pytest.param(MP4, padded(FILM, len(FILM) + 5000), id="mp4-padded"),
    pytest.param(MP4, FILM + bytes(4096), id="mp4-zeros-behind"),
    pytest.param(MP4, FILM + bytes(3), id="mp4-three-bytes-behind"),
    pytest.param(MP4, FILM + b"PK\x03\x04" + bytes(200), id="mp4-a-zip-behind"),
    pytest.param(MP4, FILM + bytes(range(256)) + b"8db42d694ccc418790edff439fe026bf", id="mp4-a-cameras-trailer"),
    pytest.param(MP4, phone(behind=box(b"sefd", bytes(300)) + box(b"beam", b"x")), id="mp4-samsung-whatsapp"),
    pytest.param(
        MOV,
        phone(
            *[
                trak(*plain_tables(), handler=b"meta", track_id=n, described=stsd(box(b"mebx", bytes(99))))
                for n in (3, 4, 5)
            ],
            trak(rows(b"stts", (1, 2**31 - 1)), stsz(1, 4), handler=b"tmcd", track_id=6, timescale=0),
            box(b"meta", bytes(4), box(b"hdlr", bytes(24)), box(b"keys", bytes(300)), box(b"ilst", bytes(99))),
            box(b"udta", box(b"\xa9mak", b"Maker"), bytes(4)),
            box(b"wide"),
            box(b"free", bytes(99)),
        ),
        id="mov-of-a-phone-with-notes",
    ),
    pytest.param(MP4, movie(trak(*plain_tables()), bytes(4)), id="mp4-four-zeros-in-moov"),
    pytest.param(MP4, movie(trak(*plain_tables()), bytes(40)), id="mp4-forty-zeros-in-moov"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst((500, -1), (100, 20)))), id="mp4-edited"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst((2**32 - 1, 0), (50, 0)))), id="mp4-edit-left-open"),
    pytest.param(
        MP4,
        movie(trak(*plain_tables(), duration=2**32 - 1), head=mvhd(duration=2**32 - 1)),
        id="mp4-durations-left-open",
    ),
    pytest.param(
        MP4, movie(trak(rows(b"stts", (9, 10), (1, 2**32 - 5)), *plain_tables()[1:])), id="mp4-negative-delta"
    ),
    pytest.param(MP4, movie(trak(rows(b"stts", (9, 10), (1, 10**8)), *plain_tables()[1:])), id="mp4-last-frame-stands"),
    pytest.param(MP4, movie(trak(*plain_tables(480, 2, 4), timescale=480)), id="mp4-240-frames-a-second"),
    pytest.param(
        MOV,
        movie(
            trak(*plain_tables()),
            trak(
                *[
                    rows(b"stts", (9_000_000, 1)),
                    rows(b"stsc", (1, 9_000_000, 1)),
                    stsz(9_000_000, 1),
                    rows(b"stco", (40,)),
                ],
                handler=b"soun",
                timescale=48_000,
            ),
            media=bytes(9_100_000),
        ),
        id="mov-three-minutes-of-plain-sound",
    ),
    pytest.param(
        MOV,
        movie(trak(*plain_tables()), trak(*plain_tables(), handler=b"soun", described=stsd(audio(2, 0)))),
        id="96-khz",
    ),
    pytest.param(
        MOV,
        movie(
            trak(*plain_tables()),
            trak(*plain_tables(), handler=b"soun", described=stsd(audio2(64, 48_000))),
            trak(*plain_tables(), handler=b"soun"),
        ),
        id="mov-spatial-sound-beside-stereo",
    ),
    pytest.param(
        MP4,
        movie(FRAGMENTED, behind=fragment(trun(10), at=10**9) + fragment(trun(10), at=10**9 + 100)),
        id="mp4-cut-from-a-live-stream",
    ),
    pytest.param(MP4, phone() + box(b"moov", b"another"), id="mp4-a-second-moov"),
    pytest.param(WEBM, film(container="webm", codec="libvpx-vp9", options={"cpu-used": "8"}), id="webm"),
    pytest.param(
        WEBM,
        webm(tracks(webm_track()), cluster(0, block(), block(33)), cluster(66, block(), open_=True), open_=True),
        id="webm-of-a-browsers-recorder",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track()), cluster(0, block(), open_=True), open_=True)
        + webm(tracks(), cluster(9, block(), open_=True), open_=True),
        id="webm-two-recordings",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track()), cluster(0, element(0xA0, element(0xA1, b"\x81\0\0\0x"), element(0x9B, b"\1")))),
        id="webm-groups",
    ),
    pytest.param(WEBM, webm(tracks(webm_track(), webm_track(2, 2)), cluster(0, block())), id="webm-default-sound"),
]


@pytest.mark.parametrize(("content_type", "data"), ORDINARY)
def test_ordinary_films_are_accepted(content_type: str, data: bytes) -> None:
    assert code_of(content_type, data) is None


def test_a_long_recording_in_many_small_pieces_is_accepted() -> None:
    """Ten minutes, ten pieces a second, hardly anything moves."""
    pieces = b"".join(fragment(trun(3), at=n * 30) for n in range(6000))
    assert code_of(MP4, movie(FRAGMENTED, behind=pieces)) is None


def test_three_hours_are_accepted() -> None:
    """60 frames a second, none as long as the other, and 48 kHz of sound."""
    frames, packets = 3 * 3600 * 60, 3 * 3600 * 47
    picture = trak(
        rows(b"stts", *[(1, 16 + n % 2) for n in range(frames)]),
        rows(b"ctts", *[(1, n % 3) for n in range(frames)]),
        rows(b"stsc", (1, 1, 1)),
        stsz(frames, 0, [20 + n % 9 for n in range(frames)]),
        rows(b"co64", *[(0, 40)] * frames),
        timescale=1000,
    )
    voice = trak(
        rows(b"stts", (packets, 1024)), stsz(packets, 0, [9] * packets), handler=b"soun", timescale=48_128, duration=9
    )
    assert code_of(MP4, movie(picture, voice, media=bytes(20 << 20))) is None


CUT = {
    "mp4": (MP4, FILM),
    "mp4-index-first": (MP4, movie(trak(*plain_tables()), trak(*plain_tables(), handler=b"soun"))),
    "mp4-fragmented": (MP4, remuxed("mp4", movflags="frag_keyframe+empty_moov+omit_tfhd_offset")),
    "mov": (MOV, film(container="mov", seconds=0.5)),
    "webm": (WEBM, film(container="webm", codec="libvpx", options={"cpu-used": "8"}, seconds=0.5)),
}


@pytest.mark.parametrize(("content_type", "data"), CUT.values(), ids=CUT)
def test_a9_a_film_cut_off_anywhere_is_corrupt(content_type: str, data: bytes) -> None:
    accepted = [
        cut
        for n in range(100)
        if code_of(content_type, data[: (cut := len(data) * n // 100)]) is not Code.MEDIA_CORRUPT
    ]
    if b"mfra" in data:  # a fragmented film without the index at its end plays as before
        accepted = [cut for cut in accepted if cut < data.rindex(b"mfra") - 4]
    assert accepted == []


def nested(kind: bytes, depth: int) -> bytes:
    size = 8 * depth
    return b"".join(struct.pack(">I", size - 8 * n) + kind for n in range(depth))


PICTURE = trak(*plain_tables())
TEN_DAYS = 10 * 24 * 3600
COMPLEX, CORRUPT, LONG = Code.MEDIA_TOO_COMPLEX, Code.MEDIA_CORRUPT, Code.MEDIA_DURATION_EXCEEDED
FRAMES = Code.MEDIA_FRAMES_EXCEEDED

BOMBS = [
    pytest.param(MP4, movie(index_bomb()), CORRUPT, id="F6-index"),
    pytest.param(MP4, movie(PICTURE, index_bomb(handler=b"soun")), CORRUPT, id="F6-index-of-sound"),
    pytest.param(MP4, movie(*[index_bomb(10_000_000)] * 8), CORRUPT, id="F6-eight-tracks"),
    pytest.param(MP4, movie(index_bomb(3_000_000), media=bytes(4_000_000)), FRAMES, id="F6-as-many-bytes"),
    pytest.param(
        MP4, movie(trak(rows(b"stts", (10**9, 1)), *plain_tables()[1:], duration=1)), FRAMES, id="F6-only-times"
    ),
    pytest.param(MP4, movie(trak(*plain_tables(), rows(b"ctts", (2**31, 0)))), FRAMES, id="F6-only-offsets"),
    pytest.param(
        MP4,
        movie(
            PICTURE,
            trak(
                rows(b"stts", (9, 1)), rows(b"stsc", (1, 2**31, 1)), stsz(9, 1), rows(b"stco", (40,)), handler=b"soun"
            ),
        ),
        FRAMES,
        id="F6-one-chunk-of-sound",
    ),
    pytest.param(
        MP4, movie(trak(rows(b"stts", (1, TEN_DAYS * 1000), (1, 40)), *plain_tables(2)[1:])), LONG, id="F7-gap"
    ),
    pytest.param(
        MP4,
        movie(FRAGMENTED, behind=fragment(trun(1)) + fragment(trun(1), at=TEN_DAYS * 1000)),
        LONG,
        id="F7-fragments",
    ),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst((TEN_DAYS * 1000, -1)))), LONG, id="F7-empty-edit"),
    pytest.param(MP4, movie(*[PICTURE] * 5000), COMPLEX, id="B6-5000-tracks"),
    pytest.param(MP4, movie(*[box(b"trak")] * 5000), COMPLEX, id="B6-5000-empty-tracks"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst(*[(1, 0)] * 100_000))), COMPLEX, id="B6-edits"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst(count=100_000))), COMPLEX, id="B6-edits-claimed"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst(*[(10**7, 0)] * 9000))), LONG, id="B6-edits-repeat"),
    pytest.param(MP4, movie(PICTURE, box(b"udta", nested(b"udta", 20_000))), COMPLEX, id="B6-nested-in-notes"),
    pytest.param(MP4, movie(nested(b"moov", 20_000)), CORRUPT, id="B6-nested-movies"),
    pytest.param(MP4, movie(nested(b"trak", 20_000)), CORRUPT, id="B6-nested-tracks"),
    pytest.param(MP4, movie(PICTURE, box(b"meta", nested(b"meta", 20_000))), COMPLEX, id="B6-nested-meta"),
    pytest.param(MP4, movie(PICTURE, box(b"trak", bytes(16), size=0)), CORRUPT, id="B6-size-0-inside"),
    pytest.param(MP4, movie(box(b"mvex", struct.pack(">Q", 2**63), size=1)), CORRUPT, id="B6-size-2-63-inside"),
    pytest.param(
        MP4, box(b"ftyp", b"isom") + box(b"mdat", struct.pack(">Q", 2**63), size=1), CORRUPT, id="B6-size-2-63"
    ),
    pytest.param(MP4, FILM + box(b"free", struct.pack(">Q", 2**63), size=1), CORRUPT, id="B6-size-2-63-behind"),
    pytest.param(MP4, box(b"ftyp", b"isom") + box(b"moov", size=4) + bytes(99), CORRUPT, id="B6-size-4"),
    pytest.param(MP4, movie(struct.pack(">I", len(PICTURE) + 99) + PICTURE[4:]), CORRUPT, id="B6-overlapping"),
    pytest.param(MP4, movie(trak(*plain_tables()[:2], full(b"stsz", 0, 10**6))), CORRUPT, id="B6-stsz-past-its-box"),
    pytest.param(MP4, movie(trak(stsz(5, 0, [500] * 5))), CORRUPT, id="B6-samples-larger-than-the-file"),
    pytest.param(MP4, movie(trak(*plain_tables()[:3], rows(b"stco", (10**9,)))), CORRUPT, id="B6-chunk-behind-the-end"),
    pytest.param(MP4, movie(trak(*plain_tables(), rows(b"stss", count=2**30))), CORRUPT, id="B6-key-frames"),
    pytest.param(MP4, movie(FRAGMENTED, behind=fragment(full(b"trun", 10**9))), FRAMES, id="B6-run-of-nothing"),
    pytest.param(MP4, movie(FRAGMENTED, behind=fragment(full(b"trun", 10**9, flags=0x200))), CORRUPT, id="B6-run"),
    pytest.param(MP4, movie(PICTURE, box(b"cmov", bytes(99))), COMPLEX, id="B6-compressed"),
    pytest.param(MP4, movie(PICTURE, box(b"udta", bytes(5_000_000))), Code.MEDIA_METADATA_TOO_LARGE, id="B3-notes"),
    pytest.param(MP4, movie(PICTURE, head=mvhd(1, 2**31)), LONG, id="B7-duration"),
    pytest.param(MP4, movie(trak(*plain_tables(), timescale=1, duration=2**31)), LONG, id="B7-track-duration"),
    pytest.param(MP4, movie(trak(*plain_tables(10, 2000), timescale=1)), LONG, id="B7-slow-clock"),
    pytest.param(MP4, movie(trak(*plain_tables(), timescale=2**32 - 1)), FRAMES, id="B7-fast-clock"),
    pytest.param(MP4, movie(trak(*plain_tables(), timescale=0)), CORRUPT, id="B7-no-clock"),
    pytest.param(MP4, movie(trak(*plain_tables(100, 1), timescale=1_000_000)), FRAMES, id="B7-million-fps"),
    pytest.param(MP4, movie(trak(*plain_tables(), before=elst((100, -5)))), CORRUPT, id="B7-negative-edit"),
    pytest.param(
        MP4,
        movie(trak(*plain_tables(), described=stsd(visual(50_000, 36)))),
        Code.MEDIA_DIMENSIONS_EXCEEDED,
        id="B8-side",
    ),
    pytest.param(
        MP4,
        movie(trak(*plain_tables(), described=stsd(visual(), visual(8000, 36)))),
        Code.MEDIA_DIMENSIONS_EXCEEDED,
        id="B8-second-description",
    ),
    pytest.param(
        MP4,
        movie(PICTURE, trak(*plain_tables(), handler=b"soun", described=stsd(audio(64)))),
        COMPLEX,
        id="B9-channels",
    ),
    pytest.param(
        MP4,
        movie(PICTURE, trak(*plain_tables(), handler=b"soun", described=stsd(audio2(2, 768e3)))),
        COMPLEX,
        id="B9-rate",
    ),
    pytest.param(
        MP4,
        movie(PICTURE, trak(*plain_tables(), handler=b"soun", described=stsd(audio2(2, float("nan"))))),
        COMPLEX,
        id="B9-no-number",
    ),
    pytest.param(MP4, movie(PICTURE, trak(*plain_tables(360, 10**5), handler=b"soun")), LONG, id="B9-ten-hours"),
    pytest.param(MP4, box(b"ftyp", b"isom") + box(b"free") * 30_000 + movie(PICTURE), COMPLEX, id="boxes"),
    pytest.param(WEBM, webm(tracks(*[webm_track(n) for n in range(1, 18)])), COMPLEX, id="B6-webm-tracks"),
    pytest.param(WEBM, webm(tracks(webm_track()), cluster(0, block()), duration=1e9), LONG, id="B7-webm-duration"),
    pytest.param(WEBM, webm(tracks(webm_track()), cluster(0, block()), duration=float("nan")), LONG, id="B7-webm-nan"),
    pytest.param(
        WEBM, webm(tracks(webm_track()), cluster(0, block()), cluster(TEN_DAYS * 1000, block())), LONG, id="F7-webm-gap"
    ),
    pytest.param(WEBM, webm(tracks(webm_track()), cluster(0, *[block()] * 100)), FRAMES, id="B7-webm-fps"),
    pytest.param(
        WEBM,
        webm(tracks(webm_track(1, 1, pixels(50_000, 36))), cluster(0, block())),
        Code.MEDIA_DIMENSIONS_EXCEEDED,
        id="B8-webm-side",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track(), webm_track(2, 2, sound(64, 48e3))), cluster(0, block())),
        COMPLEX,
        id="B9-webm-channels",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track(), webm_track(2, 2, sound(2, 768e3))), cluster(0, block())),
        COMPLEX,
        id="B9-webm-rate",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track(), webm_track(2, 2, sound(2, 0.0))), cluster(0, block())),
        COMPLEX,
        id="B9-webm-0-hz",
    ),
    pytest.param(
        WEBM,
        webm(tracks(webm_track()), element(0x1254C367, bytes(5_000_000))),
        Code.MEDIA_METADATA_TOO_LARGE,
        id="B3-webm-tags",
    ),
    pytest.param(WEBM, webm(tracks(webm_track()), b"\xec\x80" * 20_000), COMPLEX, id="webm-elements"),
    pytest.param(WEBM, webm(tracks(webm_track()), element(0x1F43B675, size=2**40)), CORRUPT, id="B6-webm-cluster"),
    pytest.param(WEBM, webm(tracks(webm_track()), cluster(0, element(0xA3, size=2**55))), CORRUPT, id="B6-webm-block"),
    pytest.param(WEBM, webm(tracks(webm_track()), nested(b"\x1f\x43\xb6\x75", 9)), CORRUPT, id="webm-no-elements"),
    pytest.param(WEBM, webm(tracks(webm_track())), CORRUPT, id="webm-of-nothing"),
    pytest.param(WEBM, webm(cluster(0, block())), CORRUPT, id="webm-without-tracks"),
    pytest.param(MP4, box(b"ftyp", b"isom") + bytes(20) + box(b"mdat", bytes(9)), CORRUPT, id="mp4-of-nothing"),
    pytest.param(MP4, b"\0\0\0\x18ftypmp42<script>alert(1)</script>", CORRUPT, id="A2-script-as-mp4"),
]


@pytest.mark.parametrize(("content_type", "data", "code"), BOMBS)
def test_film_bombs_are_refused_in_no_time(content_type: str, data: bytes, code: Code) -> None:
    assert bomb_code(content_type, data) is code
