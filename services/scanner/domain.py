"""What clamd's words mean. Pure.

Everything that is not the literal answer for a whole clean stream fails closed: a limit passed or content nobody could
look into is UNSCANNABLE, and what is no verdict at all is none.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Outcome(StrEnum):
    """The verdicts there are."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNABLE = "unscannable"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict. threat is clamd's name for it, code the public one of what is malformed; else empty."""

    outcome: Outcome
    threat: str = ""
    code: str = ""


# What clamd reports under "FOUND" although no signature matched: it stopped looking, or could not look.
_NOT_LOOKED_INTO = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted", "Heuristics.Broken")
STREAM_LIMIT = "Limits.Exceeded.StreamMaxLength"  # clamd has no name for it, only a sentence

_FOUND = re.compile(r"stream: (?P<name>.+) FOUND")
_DETAIL = re.compile(r"\([0-9a-f]{32,64}:\d+\)$")  # hash and size that ExtendedDetectionInfo appends


def finding(reply: str) -> Finding | None:
    """The verdict in clamd's answer to INSTREAM; None when it holds none (an error, half an answer, silence)."""
    if reply == "stream: OK":
        return Finding(Outcome.CLEAN)
    if reply.startswith("INSTREAM size limit exceeded"):
        return Finding(Outcome.UNSCANNABLE, STREAM_LIMIT)
    found = _FOUND.fullmatch(reply)
    if found is None:
        return None
    name = _DETAIL.sub("", found["name"])
    if name.startswith(_NOT_LOOKED_INTO):
        return Finding(Outcome.UNSCANNABLE, name)
    return Finding(Outcome.INFECTED, name)


def judged(found: Finding, malformed: str) -> Finding:
    """The verdict on bytes in which clamd `found` this. malformed: the public code of what is wrong with them, or "".

    What clamd found weighs more: that a file is malicious says more than that it is damaged.
    """
    if found.outcome is Outcome.CLEAN and malformed:
        return Finding(Outcome.MALFORMED, code=malformed)
    return found


def deadline_s(size_bytes: int) -> float:
    """Seconds one scan may take: a fixed part, and the slowest speed we put up with (2 MB/s).

    500 MB take 8 s with a small signature set and clamd's own MaxScanTime ends a scan after 300 s.
    """
    return 60 + size_bytes / 2_000_000


@dataclass(frozen=True, slots=True)
class Signatures:
    """What clamd scans with. `dated` is None for a set without an official database."""

    engine: str
    number: int | None = None
    dated: datetime | None = None

    def age_s(self, now: datetime) -> float | None:
        """Seconds since the database was built; None when nobody knows."""
        return (now - self.dated).total_seconds() if self.dated else None

    def describe(self, now: datetime) -> str:
        """For an operator."""
        age = self.age_s(now)
        if age is None:
            return f"{self.engine}, no official signature database"
        return f"{self.engine}, signatures {self.number}, {age / 3600:.0f} h old"


_VERSION = re.compile(r"(?P<engine>ClamAV [^/]+)(?:/(?P<number>\d+)/(?P<dated>.+))?")


def parse_version(reply: str) -> Signatures:
    """Reads clamd's VERSION answer: `ClamAV 1.4.6/27800/Mon Nov 23 08:00:00 2026`, or only its first part.

    clamd writes the date in its own time zone without naming it; it is taken as UTC, as our images set it.
    """
    match = _VERSION.fullmatch(reply.strip())
    if match is None:
        return Signatures(engine="unknown")
    try:
        dated = datetime.strptime(match["dated"] or "", "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return Signatures(match["engine"])
    return Signatures(match["engine"], int(match["number"]), dated)


def needle() -> bytes:
    """The EICAR test file, which every signature set finds.

    Put together here, since written out it would make scanners find this source file.
    """
    return b"".join((b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS", b"-TEST-FILE!$H+H*"))
