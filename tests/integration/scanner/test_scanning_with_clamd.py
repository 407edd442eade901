"""Verdicts of the real clamd as it is shipped. Test names begin with the threat's row."""

import asyncio
import gzip
import hashlib
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local.clamd import NEEDLE, Clamd
from services.common.blobs import Blobs
from services.common.errors import Code
from services.scanner import domain
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.app import Report, Scanner
from services.scanner.domain import Finding, Outcome
from tests.integration.scanner.conftest import PART, Put, no_verdict
from tests.media import INFECTED_ZIP, film, jpeg, picture

DEBIAN_TEST_FILES = Path("/usr/share/clamav-testfiles")


def encrypted_zip() -> bytes:
    """A zip whose only member says that it is encrypted (bit 0 of its flags)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("secret.txt", os.urandom(256))
    data = bytearray(buffer.getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def crowded_zip(members: int = 12_000) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(members):
            archive.writestr(f"{number}.txt", str(number))
    return buffer.getvalue()


async def test_an_ordinary_picture_is_clean_and_the_report_is_about_its_bytes(scanner: Scanner, put: Put) -> None:
    data = jpeg()
    report = await scanner.scan(*await put(data))
    assert report == Report(Finding(Outcome.CLEAN), hashlib.sha256(data).hexdigest(), len(data))


async def test_eicar_is_found(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(domain.needle()))
    assert report.finding.outcome is Outcome.INFECTED
    assert "eicar" in report.finding.threat.lower()


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
async def test_v1_a_signature_is_found_anywhere_in_a_large_object(scanner: Scanner, put: Put, at: float) -> None:
    filler = os.urandom(1 << 20) * 40
    split = int(len(filler) * at)
    report = await scanner.scan(*await put(filler[:split] + NEEDLE + filler[split:]))
    assert report.finding.outcome is Outcome.INFECTED
    assert report.finding.threat.startswith("Letmepost-Test-Needle")


def in_a_comment(data: bytes, harmful: bytes) -> bytes:
    """A JPEG with a COM segment behind its first marker."""
    return data[:2] + b"\xff\xfe" + (len(harmful) + 2).to_bytes(2, "big") + harmful + data[2:]


def in_a_box(data: bytes, harmful: bytes) -> bytes:
    return data + (len(harmful) + 8).to_bytes(4, "big") + b"free" + harmful


def image(format_: str) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, format_)
    return buffer.getvalue()


def appended(data: bytes, harmful: bytes) -> bytes:
    return data + harmful


@pytest.mark.parametrize(
    ("carrier", "put_in"),
    [
        pytest.param(jpeg, appended, id="behind-a-jpeg"),
        pytest.param(lambda: image("PNG"), appended, id="behind-a-png"),
        pytest.param(lambda: image("GIF"), appended, id="behind-a-gif"),
        pytest.param(lambda: image("WEBP"), appended, id="behind-a-webp"),
        pytest.param(film, appended, id="behind-an-mp4"),
        pytest.param(jpeg, in_a_comment, id="in-a-jpeg-comment"),
        pytest.param(film, in_a_box, id="in-an-mp4-box"),
    ],
)
async def test_c13_media_that_show_and_are_infected_all_the_same(
    scanner: Scanner, put: Put, carrier: Callable[[], bytes], put_in: Callable[[bytes, bytes], bytes]
) -> None:
    report = await scanner.scan(*await put(put_in(carrier(), INFECTED_ZIP.read_bytes())))
    assert report.finding.outcome is Outcome.INFECTED
    assert report.finding.threat.startswith("ClamAV-Test-File")


async def test_all_of_debians_test_files_are_found(scanner: Scanner, put: Put) -> None:
    missed = []
    for path in sorted(DEBIAN_TEST_FILES.iterdir()):
        report = await scanner.scan(*await put(path.read_bytes()))
        if report.finding.outcome is Outcome.CLEAN:
            missed.append(path.name)
    assert missed == []


def nested_gzip(depth: int = 21) -> bytes:
    data = b"nothing"
    for _ in range(depth):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(
    ("make", "limit"), [(crowded_zip, "MaxFiles"), (nested_gzip, "MaxRecursion")], ids=["files", "depth"]
)
async def test_c6_what_passes_an_inner_limit_is_unscannable(
    scanner: Scanner, put: Put, make: Callable[[], bytes], limit: str
) -> None:
    report = await scanner.scan(*await put(make()))
    assert report.finding == Finding(Outcome.UNSCANNABLE, f"Heuristics.Limits.Exceeded.{limit}")


async def test_what_is_encrypted_is_unscannable(scanner: Scanner, put: Put) -> None:
    report = await scanner.scan(*await put(encrypted_zip()))
    assert report.finding.outcome is Outcome.UNSCANNABLE
    assert report.finding.threat.startswith("Heuristics.Encrypted")


@pytest.mark.timeout(300)
async def test_c2_c11_a_needle_at_the_very_end_of_499_mb_is_found(
    scanner: Scanner, quarantine: Blobs, stored_keys: list[str]
) -> None:
    """The same 8 MiB again and again: what the test costs is the store and clamd."""
    size_bytes, part = 499_000_000, os.urandom(PART)
    stored_keys.append(key := "scan/large")
    upload = await quarantine.start_multipart(key, "video/mp4")
    whole, rest = divmod(size_bytes, PART)
    etags = [await quarantine.put_part(key, upload, number, part) for number in range(1, whole + 1)]
    etags.append(await quarantine.put_part(key, upload, whole + 1, part[: rest - len(NEEDLE)] + NEEDLE))
    info = await quarantine.complete(key, upload, list(enumerate(etags, 1)))
    report = await scanner.scan(key, info.etag, size_bytes)
    assert report.finding.outcome is Outcome.INFECTED
    assert report.finding.threat.startswith("Letmepost-Test-Needle")
    assert report.size_bytes == size_bytes


async def test_c7_an_empty_chunk_does_not_end_the_stream(clamd: Clamd) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"", b"clean so far", b"", NEEDLE, b""):
            yield chunk

    reply = await Engine(str(clamd.socket)).scan(chunks())
    found = domain.finding(reply)
    assert found is not None
    assert found.outcome is Outcome.INFECTED


async def test_an_object_that_was_replaced_is_not_scanned(scanner: Scanner, quarantine: Blobs, put: Put) -> None:
    key, etag, size_bytes = await put(jpeg())
    await quarantine.delete(key)
    await quarantine.put(key, domain.needle(), "image/jpeg")
    assert (await no_verdict(scanner.scan(key, etag, size_bytes))).code is Code.OBJECT_CHANGED


async def test_an_object_that_is_gone_is_not_clean(scanner: Scanner) -> None:
    error = await no_verdict(scanner.scan("scan/none", '"none"', 3))
    assert error.code is Code.OBJECT_CHANGED


async def test_more_scans_than_places_all_get_their_verdict(scanner: Scanner, put: Put) -> None:
    sealed = [await put(jpeg()) for _ in range(12)]
    reports = await asyncio.gather(*(scanner.scan(*one) for one in sealed))
    assert {report.finding.outcome for report in reports} == {Outcome.CLEAN}
