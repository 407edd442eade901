"""What a source is, as found by decoding it."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One source, measured. Sizes are pixels as displayed: orientation and rotation applied, pixels square.

    Attributes:
        kind: "image" or "video".   container: jpeg, png, gif, webp, heif, avif, mov (MP4 too) or matroska.
        codec: Of the picture, e.g. "h264"; an image's is its container's name.
        width, height: As displayed, ≥ 1.   coded_width, coded_height: as stored.
        orientation: EXIF 1..8, images only.   rotation: clockwise degrees a player turns it: 0, 90, 180, 270.
        frames: Pictures in it, ≥ 1.   animated: an image with several.   has_alpha: may be see-through.
        beat_ms: Of an animation: every frame stands for a multiple of that; 0 where nobody knows how long.
        duration_s: Seconds; of an animation, once through; 0 for stills.   fps: mean frames a second; 0 for stills.
        max_gap_s: The longest a frame stands.   max_key_gap_s: between two key frames.
        constant_rate: Every frame stands equally long, to the millisecond.
        closed_groups: Every key frame is known to be one that nothing behind it looks past; H.264 only.
        trimmed: The container hides frames that its streams hold.
        pix_fmt, profile: As FFmpeg or Pillow name them; "" where there is none.   level: H.264's times ten; else 0.
        interlaced: Half pictures.   square: pixels are.   hdr: "", "pq" or "hlg".   bit_rate: bits a second, overall.
        peak_bit_rate: of the picture, in its busiest second.
        has_audio: …audio_codec "" without; channels 0, rate 0 Hz.   other_streams: neither first video nor first audio.
        has_extras: Holds metadata, or bytes no decoder needs, or may do so; such a source is never served as it is.
        standard_color: Needs no conversion to sRGB or BT.709.
        size_bytes: Of the file.
    """

    kind: str
    container: str
    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    size_bytes: int
    orientation: int = 1
    rotation: int = 0
    frames: int = 1
    animated: bool = False
    beat_ms: int = 0
    has_alpha: bool = False
    duration_s: float = 0.0
    fps: float = 0.0
    max_gap_s: float = 0.0
    max_key_gap_s: float = 0.0
    constant_rate: bool = True
    closed_groups: bool = True
    trimmed: bool = False
    pix_fmt: str = ""
    profile: str = ""
    level: int = 0
    interlaced: bool = False
    square: bool = True
    hdr: str = ""
    bit_rate: int = 0
    peak_bit_rate: int = 0
    has_audio: bool = False
    audio_codec: str = ""
    audio_profile: str = ""
    audio_channels: int = 0
    audio_rate: int = 0
    audio_bit_rate: int = 0
    other_streams: int = 0
    has_extras: bool = True
    standard_color: bool = True

    @property
    def aspect(self) -> float:
        """Width over height, as displayed."""
        return self.width / self.height

    def to_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return asdict(self)
