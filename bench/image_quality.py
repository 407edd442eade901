"""How much of a picture is left: structural similarity, against the source scaled with the best filter.

python -m bench.image_quality SOURCE FILE …: prints, per file, `ssim:NAME` and `bytes:NAME`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

# Wang et al. 2004, IEEE Trans. Image Process. 13:600: the constants, and an 8 × 8 window.
WINDOW_PX = 8
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Plane = npt.NDArray[np.float64]


def ssim(reference: Image.Image, other: Image.Image) -> float:
    """Of luma, -1..1; 1: equal. Both of one size, at least 8 × 8."""
    a, b = (np.asarray(image.convert("L"), dtype=np.float64) for image in (reference, other))
    mean_a, mean_b = _mean(a), _mean(b)
    var_a, var_b = _mean(a * a) - mean_a**2, _mean(b * b) - mean_b**2
    both = _mean(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    return float((above / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))).mean())


def _mean(plane: Plane) -> Plane:
    """Of every window."""
    sums = np.pad(plane.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    n = WINDOW_PX
    found: Plane = (sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]) / n**2
    return found


def main(source: str, files: list[str]) -> None:
    """Judges every file."""
    found = {}
    with Image.open(source) as opened:
        whole = opened.convert("RGB")
    for path in map(Path, files):
        with Image.open(path) as made:
            reference = whole.resize(made.size, Image.Resampling.LANCZOS)
            found[f"ssim:{path.stem}"] = ssim(reference, made)
        found[f"bytes:{path.stem}"] = float(path.stat().st_size)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
