"""Texts and films that name other files or hosts, for a reader that is too obliging. Each names the canaries."""

from collections.abc import Mapping

from tests.hostile.samples import sample
from tests.unit.scanner.structure.boxes import box, full

Texts = Mapping[str, bytes]


def texts(url: str, path: str) -> Texts:
    """By what they are to FFmpeg. url, path: what must never be opened."""
    named = {"url": url, "path": path}
    return {name: text.format_map(named).encode() for name, text in _TEXTS.items()}


_TEXTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "hls-path": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{path}\n#EXT-X-ENDLIST\n",
    "hls-master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/b.m3u8\n",
    "hls-key": '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/k"\n#EXTINF:5,\n{path}\n',
    "hls-concat": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nconcat:{url}/c|file://{path}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "ffconcat-url": "ffconcat version 1.0\nfile '{url}/d.mp4'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}/</BaseURL></MPD>',
    "smooth": '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="{url}/e"/></SmoothStreamingMedia>',
    "tty": "just words\n" * 50,
    "subtitles": "1\n00:00:00,000 --> 00:00:05,000\n{url}\n",
    "metadata": ";FFMETADATA1\ntitle={path}\n",
    "image-sequence": "{path}%03d.jpg\n",
    "rtsp": "rtsp://{url}/f\n",
    "asx": '<asx version="3.0"><entry><ref href="{url}/g"/></entry></asx>',
}


def behind_a_beginning(text: bytes) -> bytes:
    """The same where a film's first bytes were."""
    return box(b"ftyp", b"isom\0\0\0\0isommp42") + text


def film_elsewhere(reference: bytes) -> bytes:
    """A film whose samples are said to be in another file: `dref` is replaced by one that says so."""
    whole = sample("video/quicktime")
    table = full(b"dref", 1, tail=reference)
    return replaced(whole, (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), table)


def references(url: str, path: str) -> Mapping[str, bytes]:
    """Ways in which `dref` names a file. Flags 0: elsewhere."""
    alias = bytes(150) + b"\0\x12" + len(path).to_bytes(2, "big") + path.encode() + b"\xff\xff\0\0"
    return {
        "url-path": full(b"url ", tail=f"file://{path}".encode() + b"\0"),
        "url-host": full(b"url ", tail=f"{url}/h.mov".encode() + b"\0"),
        "alias": full(b"alis", tail=alias),
        "name": full(b"urn ", tail=b"x\0" + path.encode() + b"\0"),
    }


def replaced(data: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """Boxes with the first one at `path` replaced, and the sizes of those around it corrected."""
    at = 0
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == path[0]:
            body = data[at + 8 : at + size]
            made = box(kind, replaced(body, path[1:], new)) if len(path) > 1 else new
            return data[:at] + made + data[at + size :]
        at += size
    raise LookupError(path[0])
