"""What colours of other screens look like on an ordinary one: a table for each kind, calculated from the standards.

FFmpeg's scaler could convert them too, but takes seconds for a table of its own, and shows whatever is brighter than
white as white. Sources: ITU-T H.273 (what numbers mean), ITU-R BT.709, BT.2020 and SMPTE EG 432-1 (primaries), BT.1886
(an ordinary screen's curve), BT.2100 (PQ and HLG), BT.2390 section 5.4.1 (how highlights are compressed), BT.2408
(white).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

PQ, HLG = 16, 18  # transfer characteristics
# Red, green, blue. Those of older television differ too little from BT.709's for anybody to see.
_OURS = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_WIDE: Mapping[int, tuple[tuple[float, float], ...]] = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: _P3,
    12: _P3,
}
_D65 = (0.3127, 0.3290)
GAMMA, SRGB_GAMMA = 2.4, 2.2  # of films' screens (BT.1886), and about that of pictures' (IEC 61966-2-1)
WHITE_NITS = 203.0
# As bright as cameras' and graded films' highlights are; HLG is made for a screen of as much.
PEAK_NITS = 1000.0
# Root of the places along each edge of a table: 36 of them.
LEVEL = 6
STEPS = LEVEL**2

Colors = npt.NDArray[np.floating]
Points = tuple[tuple[float, float], ...]


def is_ordinary(primaries: int, transfer: int) -> bool:
    """Whether colours are shown as they are stored."""
    return primaries not in _WIDE and transfer not in (PQ, HLG)


def table(primaries: int, transfer: int, gamma: float = GAMMA) -> Colors:
    """What R'G'B' of that kind becomes.

    Args:
        primaries, transfer: As H.273 numbers them; of those nobody knows, BT.709's.
        gamma: Of the ordinary screen, and of ordinary range.

    Returns:
        R'G'B' of BT.709's primaries, 0..1, in a square picture as FFmpeg's `haldclut` takes it: pixel by pixel
        red grows first, then green, then blue, in STEPS steps.
    """
    edge = np.linspace(0.0, 1.0, STEPS)
    blue, green, red = np.meshgrid(edge, edge, edge, indexing="ij")
    stored = np.stack((red, green, blue), axis=-1).reshape(-1, 3)
    light = _shown(stored, transfer, gamma) / WHITE_NITS
    made: Colors = _within(light @ _to_ours(_WIDE.get(primaries, _OURS)).T) ** (1 / gamma)
    return made.reshape(LEVEL**3, LEVEL**3, 3)


def _shown(stored: Colors, transfer: int, gamma: float) -> Colors:
    """Nits on an ordinary screen."""
    if transfer == PQ:
        return _compressed(np.minimum(_of_pq(stored), PEAK_NITS))
    if transfer == HLG:
        # BT.2100, table 5: what the scene was, and what a screen of the peak's brightness makes of it.
        scene = np.where(stored <= 0.5, stored**2 / 3, (np.exp((stored - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        luma = scene @ np.array([0.2627, 0.6780, 0.0593])
        return _compressed(PEAK_NITS * luma[:, None] ** 0.2 * scene)
    return WHITE_NITS * stored**gamma


def _compressed(nits: Colors) -> Colors:
    """What is much darker than white stays as it is; from there up to the peak, brightness is rolled off to white.

    By the brightest of the three, so that no hue changes.
    """
    brightest = np.maximum(nits.max(axis=1), 1e-6)
    whole, most = _to_pq(PEAK_NITS), _to_pq(WHITE_NITS) / _to_pq(PEAK_NITS)
    knee = 1.5 * most - 0.5
    at = _to_pq(brightest) / whole
    part = np.maximum(at - knee, 0) / (1 - knee)
    rolled = (
        (2 * part**3 - 3 * part**2 + 1) * knee
        + (part**3 - 2 * part**2 + part) * (1 - knee)
        + (3 * part**2 - 2 * part**3) * most
    )
    wanted = _of_pq(whole * np.where(at <= knee, at, rolled))
    compressed: Colors = nits * (wanted / brightest)[:, None]
    return compressed


def _within(light: Colors) -> Colors:
    """Colours that a screen has none of are mixed with the grey of their luma until it has."""
    luma = np.clip(light @ np.array([0.2126, 0.7152, 0.0722]), 0, 1)[:, None]
    off = light - luma
    lowest, highest = off.min(axis=1, keepdims=True), off.max(axis=1, keepdims=True)
    kept = np.minimum(
        np.divide(luma, -lowest, out=np.ones_like(luma), where=-lowest > luma),
        np.divide(1 - luma, highest, out=np.ones_like(luma), where=highest > 1 - luma),
    )
    within: Colors = np.clip(luma + kept * off, 0, 1)
    return within


def _to_ours(points: Points) -> Colors:
    """The matrix from linear light of those primaries."""
    matrix: Colors = np.linalg.solve(_rays(_OURS), _rays(points))
    return matrix


def _rays(points: Points) -> Colors:
    """To CIE XYZ, white at 1."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in points]).T
    x, y = _D65
    scaled: Colors = columns * np.linalg.solve(columns, np.array([x / y, 1.0, (1 - x - y) / y]))
    return scaled


def _to_pq(nits: float | Colors) -> Colors:
    powered = np.asarray(nits / 10_000) ** 0.1593017578125
    signal: Colors = ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** 78.84375
    return signal


def _of_pq(signal: Colors) -> Colors:
    powered = signal ** (1 / 78.84375)
    nits: Colors = 10_000 * (np.maximum(powered - 0.8359375, 0) / (18.8515625 - 18.6875 * powered)) ** (
        1 / 0.1593017578125
    )
    return nits
