"""Changes that get past the first bytes of a format: sizes and counts replaced, parts repeated, moved, or left out."""

import random
from collections.abc import Sequence

MOST_CHANGES = 6
MOST_BYTES = 16_384
_WIDTHS = (1, 2, 3, 4, 8)
_REMARKABLE = (0, 1, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1)


def mutated(kept: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the kept files, changed in a few places."""
    data = bytearray(chance.choice(kept))
    for _ in range(chance.randint(1, MOST_CHANGES)):
        at = chance.randint(0, len(data))
        kind = chance.randrange(6)
        if kind == 0:
            width = chance.choice(_WIDTHS)
            number = chance.choice(_REMARKABLE) & ((1 << 8 * width) - 1)
            data[at : at + width] = number.to_bytes(width, chance.choice(("big", "little")))
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[at : at + chance.randint(1, 64)]
        elif kind == 3:
            end = at + chance.randint(1, 256)
            data[at:at] = bytes(data[at:end]) * chance.randint(1, 8)
        elif kind == 4:
            other = chance.choice(kept)
            start = chance.randint(0, len(other))
            data[at:at] = other[start : start + chance.randint(1, 256)]
        else:
            width = chance.choice((4, 8))
            size = int.from_bytes(data[at : at + width], "big") + chance.choice((-8, -1, 1, 8))
            data[at : at + width] = (size % (1 << 8 * width)).to_bytes(width, "big")
    return bytes(data[:MOST_BYTES])
