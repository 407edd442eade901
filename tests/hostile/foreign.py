"""Files of types that are not taken in: drawings, programs, archives, documents, other pictures, films and sounds."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PIL import Image

from tests.media import film, picture
from tests.unit.scanner.structure.boxes import box

Make = Callable[[], bytes]

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
_ENTITIES = b"".join(b'<!ENTITY l%d "%b">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
XML: Mapping[str, bytes] = {
    "svg": SVG,
    "svg-behind-a-declaration": b'<?xml version="1.0"?><!DOCTYPE svg>' + SVG,
    "svg-in-utf-16": SVG.decode().encode("utf-16"),
    "svgz": gzip.compress(SVG),
    "external-entity": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "external-dtd": b'<!DOCTYPE svg SYSTEM "http://127.0.0.1:1/evil.dtd"><svg/>',
    "billion-laughs": b'<!DOCTYPE svg [<!ENTITY l0 "lol">' + _ENTITIES + b"]><svg>&l9;</svg>",
    "quadratic-blowup": b'<!DOCTYPE s [<!ENTITY a "' + b"a" * 50_000 + b'">]><s>' + b"&a;" * 5_000 + b"</s>",
    "nested-elements": b"<a>" * 100_000,
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
}


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    """A tar of one member; `name` is taken as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zip_bomb(depth: int = 5) -> bytes:
    """Zips of zips, ten in each, around ten megabytes of zeros."""
    data = bytes(10 << 20)
    for _ in range(depth):
        inner = zipped({"0": data})
        data = zipped({str(n): inner for n in range(10)})
    return data


def gzip_bomb() -> bytes:
    """Forty megabytes of zeros, twice compressed."""
    return gzip.compress(gzip.compress(bytes(40 << 20), 9), 9)


def saved(format_: str, **options: Any) -> bytes:
    """A picture in a format that is not on the list."""
    buffer = io.BytesIO()
    picture(48, 36, seed=1).save(buffer, format_, **options)
    return buffer.getvalue()


def fits(format_: str, mode: str = "L") -> bytes:
    """The same of one channel."""
    buffer = io.BytesIO()
    Image.new(mode, (48, 36), 100).save(buffer, format_)
    return buffer.getvalue()


_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + bytes(200)
_OFFICE = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\0\x03\0\xfe\xff\x09\0" + bytes(1500)

PROGRAMS: Mapping[str, Make] = {
    "windows": lambda: b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0" + bytes(200),
    "linux": lambda: _ELF,
    "macos": lambda: b"\xcf\xfa\xed\xfe\x07\0\0\x01" + bytes(200),
    "java": lambda: b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(200),
    "webassembly": lambda: b"\0asm\x01\0\0\0" + bytes(50),
    "shell": lambda: b"#!/bin/sh\nrm -rf /\n",
    "php": lambda: b"<?php system($_GET['c']); ?>",
    "batch": lambda: b"@echo off\r\ndel /q *.*\r\n",
    "flash": lambda: b"FWS\x09" + bytes(100),
    "zip": lambda: zipped({"a.txt": b"a"}),
    "jar": lambda: zipped({"META-INF/MANIFEST.MF": b"Main-Class: A"}),
    "tar-of-a-way-out": lambda: tarred("../../etc/cron.d/x", b"* * * * * root true\n"),
    "gzip": lambda: gzip.compress(b"a"),
    "bzip2": lambda: bz2.compress(b"a"),
    "xz": lambda: lzma.compress(b"a"),
    "7z": lambda: b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(100),
    "rar": lambda: b"Rar!\x1a\x07\x01\0" + bytes(100),
    "debian-package": lambda: b"!<arch>\ndebian-binary   " + bytes(100),
    "pdf": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj",
    "rtf": lambda: b"{\\rtf1\\ansi hello}",
    "word": lambda: _OLE,
    "word-of-today": lambda: zipped(_OFFICE),
    "database": lambda: b"SQLite format 3\0" + bytes(100),
    "disk-image": lambda: bytes(32_769) + b"CD001\x01" + bytes(2000),
}

PICTURES: Mapping[str, Make] = {
    "tiff": lambda: saved("TIFF"),
    "bmp": lambda: saved("BMP"),
    "ico": lambda: saved("ICO"),
    "tga": lambda: saved("TGA"),
    "eps": lambda: saved("EPS"),
    "pcx": lambda: saved("PCX"),
    "ppm": lambda: saved("PPM"),
    "dds": lambda: saved("DDS"),
    "jpeg-2000": lambda: saved("JPEG2000"),
    "jpeg-2000-codestream": lambda: saved("JPEG2000", no_jp2=True),
    "blp": lambda: fits("BLP", "P"),
    "psd": lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 36, 48, 8, 3) + bytes(200),
    "fits": lambda: b"SIMPLE  =                    T".ljust(2880),
    "jpeg-xl": lambda: b"\xff\x0a" + bytes(100),
    "jpeg-xl-in-boxes": lambda: b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a" + box(b"ftyp", b"jxl \0\0\0\0jxl "),
    "raw-photo": lambda: box(b"ftyp", b"crx \0\0\0\x01crx isom") + bytes(500),
}

OTHER_MEDIA: Mapping[str, Make] = {
    "matroska": lambda: film(64, 48, seconds=0.3, container="matroska"),
    "avi": lambda: film(64, 48, seconds=0.3, container="avi"),
    "mpeg-ts": lambda: film(64, 48, seconds=0.3, container="mpegts"),
    "flv": lambda: film(64, 48, seconds=0.3, container="flv"),
    "mp3": lambda: b"ID3\x03\0\0\0\0\0\0\xff\xfb\x90\0" + bytes(413),
    "wav": lambda: b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0" + bytes(50),
    "ogg": lambda: b"OggS\0\x02" + bytes(100),
    "flac": lambda: b"fLaC\0\0\0\x22" + bytes(100),
    "m4a": lambda: box(b"ftyp", b"M4A \0\0\0\0M4A isommp42") + bytes(100),
}

BOMBS: Mapping[str, Make] = {"zips-in-zips": zip_bomb, "gzip-in-gzip": gzip_bomb}


def everything() -> Iterable[tuple[str, bytes]]:
    """All of the above, by name."""
    yield from XML.items()
    for table in (PROGRAMS, PICTURES, OTHER_MEDIA, BOMBS):
        yield from ((name, make()) for name, make in table.items())
