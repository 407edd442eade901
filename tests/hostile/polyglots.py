"""Files that are a picture or a film to one reader and something else to another. All hold MARKER."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from tests.hostile.samples import sample, short_film
from tests.media import picture
from tests.unit.scanner.structure.boxes import box, element
from tests.unit.scanner.structure.walks import chunk, riff_chunk, segment

MARKER = b"lmpPolyglotMarker"
HTML = b"<html><script>document.title='" + MARKER + b"'</script></html>"
JAVASCRIPT = b"*/=1;document.title='" + MARKER + b"';//"
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\('" + MARKER + b"'\\))>>>>endobj\n%%EOF"
)
PHP = b"<?php echo '" + MARKER + b"'; ?>"
PROGRAM = b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0" + MARKER + bytes(64)
MP3 = b"ID3\x03\0\0\0\0\0\x20TIT2" + MARKER + b"\xff\xfb\x90\0" + bytes(413)


@dataclass(frozen=True, slots=True)
class Polyglot:
    """name: what it is uploaded as."""

    name: str
    make: Callable[[], bytes]


def archive() -> bytes:
    """A zip whose member is stored as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("META-INF/MANIFEST.MF", b"Main-Class: " + MARKER)
    return buffer.getvalue()


def behind(content_type: str, more: bytes) -> bytes:
    """A whole file with something after its end."""
    return sample(content_type) + more


def in_jpeg(marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its beginning."""
    whole = sample("image/jpeg")
    return whole[:2] + segment(marker, body) + whole[2:]


def in_png(name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk before its picture."""
    whole = sample("image/png")
    return whole[:33] + chunk(name, body) + whole[33:]


def in_webp(name: bytes, body: bytes) -> bytes:
    """A WebP with one more chunk behind its picture, counted in its size."""
    grown = sample("image/webp") + riff_chunk(name, body)
    return grown[:4] + (len(grown) - 8).to_bytes(4, "little") + grown[8:]


def in_film(content_type: str, kind: bytes, body: bytes) -> bytes:
    """A film with one more box behind the others."""
    return sample(content_type) + box(kind, body)


def gif_that_is_javascript() -> bytes:
    """`GIF89a/*` opens a comment that ends where a GIF's own comment says so. 10,799 pixels wide, one high."""
    buffer = io.BytesIO()
    Image.new("P", (0x2A2F, 1)).save(buffer, "GIF")
    whole = buffer.getvalue()
    assert whole.startswith((b"GIF87a/*", b"GIF89a/*"))
    return whole[:-1] + b"!\xfe" + bytes((len(JAVASCRIPT),)) + JAVASCRIPT + b"\0;"


def texts_in_png() -> bytes:
    """Every kind of text, as plain as it may be."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", HTML.decode())
    info.add_itxt("Description", HTML.decode())
    buffer = io.BytesIO()
    picture(96, 72, seed=11).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def exif_of_php() -> bytes:
    """Where a camera's owner stands, something to be run."""
    exif = Image.Exif()
    exif[0x013B] = PHP.decode()
    buffer = io.BytesIO()
    picture(96, 72, seed=11).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


POLYGLOTS: Mapping[str, Polyglot] = {
    "gifar": Polyglot("a.gif", lambda: behind("image/gif", archive())),
    "jpeg-zip": Polyglot("a.jpg", lambda: behind("image/jpeg", archive())),
    "png-html": Polyglot("a.html", lambda: behind("image/png", HTML)),
    "webp-pdf": Polyglot("a.pdf", lambda: behind("image/webp", PDF)),
    "heic-zip": Polyglot("a.heic", lambda: behind("image/heic", archive())),
    "avif-html": Polyglot("a.avif", lambda: in_film("image/avif", b"free", HTML)),
    "jpeg-mp3": Polyglot("a.mp3", lambda: behind("image/jpeg", MP3)),
    "jpeg-pdf-comment": Polyglot("a.jpg", lambda: in_jpeg(0xFE, PDF)),
    "jpeg-html-comment": Polyglot("a.jpg", lambda: in_jpeg(0xFE, HTML)),
    "jpeg-html-app": Polyglot("a.jpg", lambda: in_jpeg(0xEF, HTML)),
    "jpeg-php-exif": Polyglot("a.php", exif_of_php),
    "gif-javascript": Polyglot("a.js", gif_that_is_javascript),
    "png-html-texts": Polyglot("a.png", texts_in_png),
    "png-html-own-chunk": Polyglot("a.png", lambda: in_png(b"teSt", HTML)),
    "webp-svg-xmp": Polyglot("a.webp", lambda: in_webp(b"XMP ", b"<svg onload='" + MARKER + b"'/>")),
    "mp4-html-free": Polyglot("a.mp4", lambda: in_film("video/mp4", b"free", HTML)),
    "mp4-program": Polyglot("a.exe", lambda: in_film("video/mp4", b"uuid", bytes(16) + PROGRAM)),
    "mov-php-skip": Polyglot("a.mov", lambda: in_film("video/quicktime", b"skip", PHP)),
    "mp4-html-comment": Polyglot("a.mp4", lambda: short_film("video/mp4", comment=HTML.decode())),
    "webm-html-void": Polyglot("a.webm", lambda: behind("video/webm", element(0xEC, HTML))),
}
"""Sound media all through: taken in, and cleaned before anything of them is served."""

IMPOSTORS: Mapping[str, Polyglot] = {
    "jpeg-start": Polyglot("a.jpg", lambda: b"\xff\xd8\xff\xe0" + HTML),
    "png-start": Polyglot("a.png", lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + HTML),
    "gif-script": Polyglot("a.gif", lambda: b"GIF89a=1;" + JAVASCRIPT),
    "webp-start": Polyglot("a.webp", lambda: b"RIFF\xff\0\0\0WEBPVP8 " + HTML),
    "mp4-start": Polyglot("a.mp4", lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + HTML),
    "heic-start": Polyglot("a.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + HTML),
    "webm-start": Polyglot("a.webm", lambda: b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm" + HTML),
    "html-first": Polyglot("a.jpg", lambda: HTML + sample("image/jpeg")),
    "pdf-first": Polyglot("a.jpg", lambda: PDF + sample("image/jpeg")),
    "zip-first": Polyglot("a.png", lambda: archive() + sample("image/png")),
    "mp3-first": Polyglot("a.mp4", lambda: MP3 + sample("video/mp4")),
    "program-first": Polyglot("a.mp4", lambda: PROGRAM + sample("video/mp4")),
}
"""Another type's structure behind the first bytes of ours, or the other way round: not taken in."""
