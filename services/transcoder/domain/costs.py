"""What a film takes of the machine's memory, told before it is begun."""

from services.transcoder.domain.ceilings import MAX_VIDEO_PX
from services.transcoder.domain.item import Finding

# A decoder, two encoders and the frames between them, on one line through 420 MB at full HD and 1 GB at 3840 x 2160.
# Usual films take 360 MB and 465 there, HDR in HEVC 385 and 560, and full HD whose decoder keeps many frames up to 415.
BASE_BYTES, BYTES_PER_PX = 220_000_000, 96


def frame_px(finding: Finding | None) -> int:
    """Pixels of one frame; as many as are decoded at all, where nobody looked yet."""
    return MAX_VIDEO_PX if finding is None else finding.width * finding.height


def memory_bytes(px: int) -> int:
    """Of a film with so many pixels a frame."""
    return BASE_BYTES + BYTES_PER_PX * px


def room_px(room_bytes: int) -> int:
    """Pixels a frame may have for its film to take no more than that; below 0: none may."""
    return (room_bytes - BASE_BYTES) // BYTES_PER_PX
