"""Films of fewer bytes than a platform takes: behind them comes a box of nothing, which players skip.

Source: ISO/IEC 14496-12, "free space box".
"""

import shutil
from pathlib import Path

HEAD_BYTES = 8  # of a box: its length, which counts them, and its name


def pad(film: Path, least_bytes: int, out: Path) -> int:
    """Writes the MP4 with as much behind it as makes it that long. Returns its size in bytes."""
    shutil.copyfile(film, out)
    size = film.stat().st_size
    length = max(least_bytes - size, HEAD_BYTES)
    with out.open("ab") as file:
        file.write(length.to_bytes(4, "big") + b"free" + bytes(length - HEAD_BYTES))
    return size + length
