"""What clamd's words mean, and that nothing but the literal OK is clean."""

from datetime import UTC, datetime

import pytest

from services.scanner import domain
from services.scanner.domain import Finding, Outcome

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_only_the_literal_answer_is_clean() -> None:
    assert domain.finding("stream: OK") == Finding(Outcome.CLEAN)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "OK",
        "stream: ok",
        "stream: OK ",
        " stream: OK",
        "stream: OK\n",
        "stream: OKAY",
        "stream: OK FOUND ERROR",
        "stream: lstat() failed: No such file or directory. ERROR",
        "Error writing to temporary file ERROR",
        "UNKNOWN COMMAND",
        "COMMAND READ TIMED OUT",
        "stream: FOUND",
        "PONG",
    ],
)
def test_anything_else_without_a_finding_decides_nothing(reply: str) -> None:
    assert domain.finding(reply) is None


@pytest.mark.parametrize(
    ("reply", "threat"),
    [
        ("stream: Eicar-Test-Signature FOUND", "Eicar-Test-Signature"),
        (
            "stream: ClamAV-Test-File.UNOFFICIAL(aa15bcf478d165efd2065190eb473bcb:544) FOUND",
            "ClamAV-Test-File.UNOFFICIAL",
        ),
        ("stream: Heuristics.Phishing.Email.SpoofedDomain FOUND", "Heuristics.Phishing.Email.SpoofedDomain"),
        ("stream: OK FOUND", "OK"),
    ],
)
def test_a_signature_is_an_infection_by_its_name(reply: str, threat: str) -> None:
    assert domain.finding(reply) == Finding(Outcome.INFECTED, threat)


@pytest.mark.parametrize(
    "name",
    [
        "Heuristics.Limits.Exceeded.MaxFileSize",
        "Heuristics.Limits.Exceeded.MaxScanTime",
        "Heuristics.Limits.Exceeded.MaxRecursion",
        "Heuristics.Limits.Exceeded",
        "Heuristics.Encrypted.Zip",
        "Heuristics.Broken.Media.JPEG.JFIFdupAppMarker",
    ],
)
def test_what_nobody_could_look_into_is_neither_infected_nor_clean(name: str) -> None:
    assert domain.finding(f"stream: {name} FOUND") == Finding(Outcome.UNSCANNABLE, name)


def test_a_stream_over_the_length_limit_is_unscannable() -> None:
    assert domain.finding("INSTREAM size limit exceeded. ERROR") == Finding(Outcome.UNSCANNABLE, domain.STREAM_LIMIT)


def test_version_tells_the_age_of_official_signatures() -> None:
    found = domain.parse_version("ClamAV 1.4.6/27800/Mon Nov 23 08:00:00 2026")
    assert found.number == 27800
    assert found.age_s(NOW) == 24 * 3600
    assert "24 h old" in found.describe(NOW)


@pytest.mark.parametrize("reply", ["ClamAV 1.4.6", "ClamAV 1.4.6/27800/yesterday", "", "ERROR"])
def test_version_without_a_date_has_no_age(reply: str) -> None:
    assert domain.parse_version(reply).age_s(NOW) is None


def test_the_needle_is_the_68_bytes_every_scanner_knows() -> None:
    import hashlib

    assert hashlib.md5(domain.needle()).hexdigest() == "44d88612fea8a8f36de82e1278abb02f"  # noqa: S324
    assert len(domain.needle()) == 68


def test_a_larger_object_may_take_longer() -> None:
    assert domain.deadline_s(0) == 60
    assert domain.deadline_s(500_000_000) == 310
