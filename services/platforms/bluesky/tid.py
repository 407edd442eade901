"""Record keys that sort by time. Source: atproto.com/specs/tid."""

from datetime import datetime

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
LENGTH = 13
CLOCK_BITS = 10


def tid(now: datetime, clock_id: int) -> str:
    """53 bits of microseconds since 1970 and 10 bits of clock_id, which keeps keys of one microsecond apart."""
    value = (int(now.timestamp() * 1_000_000) << CLOCK_BITS) | (clock_id % (1 << CLOCK_BITS))
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
