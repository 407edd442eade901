"""Ids: a prefix and a ULID, which sorts by the time it was made."""

import os
import threading
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32
_RANDOM_BITS = 80

_lock = threading.Lock()
_last = 0


def new(prefix: str) -> str:
    """`prefix`, "_", and 26 characters; within this process always greater than the one before.

    Source: the ULID specification.
    """
    global _last
    fresh = time.time_ns() // 1_000_000 << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
    with _lock:
        # Within one millisecond the random part alone would not sort.
        _last = fresh if fresh >> _RANDOM_BITS > _last >> _RANDOM_BITS else _last + 1
        number = _last
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
