"""Films of a test chart: four colours around a black strip, over which a white bar goes once from left to right.

Where the bar stands tells what time it is in the film, so colours, orientation and timing can be read off any frame.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from tests import media

# As displayed, R'G'B' 0..255: top left, top right, bottom left, bottom right.
COLORS = ((190, 60, 50), (60, 160, 70), (60, 70, 180), (128, 128, 128))
PLACES = ((0.25, 0.2), (0.75, 0.2), (0.25, 0.8), (0.75, 0.8))  # across, down
STRIP = (0.4, 0.6)  # of the height
BT601, BT709 = 5, 1  # swscale's numbers
TICKS = 30_000  # a second; more than MPEG-4 takes are not needed
WHITE_NITS = 203  # of ordinary white within HDR: ITU-R BT.2408

Pixels = npt.NDArray[np.uint8]
Wide = npt.NDArray[np.uint16]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Film:
    """How a film is stored.

    Attributes:
        size: As displayed.   squeeze: stored width is displayed width over this.   turn: quarter turns clockwise that a
            player makes.
        times: When each frame is shown, seconds.   hdr: "", "pq" or "hlg".   interlaced: lines are of two moments.
        matrix: The colours' coding, BT601 or BT709.   said: it is told.   sound: a channel layout, None without.
    """

    size: tuple[int, int]
    times: Sequence[Fraction]
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    container: str = "mp4"
    squeeze: Fraction = Fraction(1)
    turn: int = 0
    hdr: str = ""
    interlaced: bool = False
    matrix: int = BT709
    said: bool = True
    sound: str | None = "stereo"
    sound_codec: str = "aac"

    @property
    def seconds(self) -> float:
        """Until the end of its last frame, which stands as long as the middle one."""
        gaps = sorted(b - a for a, b in zip(self.times, self.times[1:], strict=False))
        return float(self.times[-1] + gaps[len(gaps) // 2])


def evenly(fps: int | Fraction, seconds: float) -> list[Fraction]:
    """Times of frames."""
    return [n / Fraction(fps) for n in range(round(seconds * float(fps)))]


def make(film: Film) -> bytes:
    """The file."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=film.container) as out:
        video = out.add_stream(film.codec, rate=Fraction(1) / _step(film), options=film.options)
        assert isinstance(video, av.VideoStream)
        stored = _stored(film, film.times[0])
        video.width, video.height, video.pix_fmt = stored.width, stored.height, film.pix_fmt
        video.time_base = video.codec_context.time_base = Fraction(1, TICKS)
        video.codec_context.sample_aspect_ratio = film.squeeze
        if film.hdr or film.said:
            _tag(video.codec_context, film)
        if film.turn:
            video.set_display_rotation(-90 * film.turn)
        sound = None
        if film.sound:
            sound = out.add_stream(film.sound_codec, rate=media.SOUND_RATE_HZ, layout=film.sound)
            assert isinstance(sound, av.AudioStream)
            out.mux(sound.encode(_tone(film.seconds, film.sound, sound.format.name)))
        for at in film.times:
            frame = _stored(film, at)
            frame.pts, frame.time_base = round(at * TICKS), Fraction(1, TICKS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if isinstance(sound, av.AudioStream):
            out.mux(sound.encode(None))
    return buffer.getvalue()


def _step(film: Film) -> Fraction:
    return film.times[1] - film.times[0]


def _tag(to: av.VideoCodecContext | av.VideoFrame, film: Film) -> None:
    numbers = {"pq": (9, 9, 16), "hlg": (9, 9, 18)}.get(film.hdr, (1, 1, 1) if film.matrix == BT709 else (6, 6, 6))
    to.colorspace, to.color_primaries, to.color_trc = numbers
    to.color_range = 1


def _stored(film: Film, at: Fraction) -> av.VideoFrame:
    """One frame as it is in the file."""
    width, height = film.size
    view = chart(width, height, float(at) / film.seconds)
    if film.interlaced:
        later = chart(width, height, float(at + _step(film) / 2) / film.seconds)
        view[1::2] = later[1::2]
    if film.squeeze != 1:
        columns = np.linspace(0, width - 1, round(width / film.squeeze)).round().astype(int)
        view = np.ascontiguousarray(view[:, columns])
    view = np.ascontiguousarray(np.rot90(view, film.turn))
    if film.hdr:
        frame = av.VideoFrame.from_ndarray(_wide(view, film.hdr), format="yuv420p10le")
    else:
        frame = av.VideoFrame.from_ndarray(view, format="rgb24")
        frame = frame.reformat(format=film.pix_fmt, dst_colorspace=film.matrix)
    if film.hdr or film.said:
        _tag(frame, film)
    return frame


def chart(width: int, height: int, part: float) -> Pixels:
    """The picture at that part of the film, 0..1. R'G'B'."""
    view = np.zeros((height, width, 3), dtype=np.uint8)
    for color, (across, down) in zip(COLORS, PLACES, strict=True):
        top, left = (height // 2 if down > 0.5 else 0), (width // 2 if across > 0.5 else 0)
        view[top : top + height - height // 2, left : left + width - width // 2] = color
    strip = slice(int(height * STRIP[0]), int(height * STRIP[1]))
    view[strip] = 0
    bar = width // 16
    left = round(part * (width - bar))
    view[strip, left : left + bar] = 255
    return view


def _wide(view: Pixels, hdr: str) -> Wide:
    """The same colours within HDR, as a display shows them: BT.2020, 10 bits, 4:2:0, limited range. Source: ITU-R
    BT.1886, BT.2087, BT.2100, BT.2408."""
    linear = (view.astype(np.float64) / 255) ** 2.4
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = linear @ to_2020.T * WHITE_NITS
    signal = _pq(nits) if hdr == "pq" else _hlg(nits)
    luma = signal @ np.array([0.2627, 0.6780, 0.0593])
    blue, red = (signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746
    planes = [64 + 876 * luma, *(512 + 896 * one[::2, ::2] for one in (blue, red))]
    flat = np.concatenate([plane.round().astype(np.uint16).ravel() for plane in planes])
    return flat.reshape(view.shape[0] * 3 // 2, view.shape[1])


def _pq(nits: Values) -> Values:
    powered = (nits / 10_000) ** 0.1593017578125
    signal: Values = ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** 78.84375
    return signal


def _hlg(nits: Values) -> Values:
    """For a display of 1,000 nits: its own curve is taken off first."""
    shown = nits / 1000
    luma = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None]
    scene = shown * luma ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    signal: Values = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return signal


def _tone(seconds: float, layout: str, sample_format: str) -> av.AudioFrame:
    """A soft A in every channel."""
    channels = av.AudioLayout(layout).nb_channels
    at = np.arange(round(seconds * media.SOUND_RATE_HZ), dtype=np.float32) / media.SOUND_RATE_HZ
    wave = (0.2 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave] * channels), format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = media.SOUND_RATE_HZ, 0, Fraction(1, media.SOUND_RATE_HZ)
    return av.AudioResampler(format=sample_format).resample(frame)[0]


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame of a made film, read off. at_s: when it is shown; part: where its bar stands, 0..1."""

    at_s: float
    part: float
    colors: tuple[tuple[int, int, int], ...]
    combed: float


def read(frame: av.VideoFrame) -> Seen:
    """What a BT.709 frame of 4:2:0 shows. combed: how much every line of the strip differs from the next, 0..255."""
    width, height = frame.width, frame.height
    planes = frame.reformat(format="yuv420p").to_ndarray()
    luma = planes[:height].astype(np.float64)
    chroma = planes[height:].reshape(2, height // 2, width // 2).astype(np.float64)
    strip = luma[int(height * 0.45) : int(height * 0.55)]
    weights = np.clip(strip.mean(axis=0) - 60, 0, None)
    bar = width // 16
    centre = float((weights * np.arange(width)).sum() / max(weights.sum(), 1))
    colors = []
    for across, down in PLACES:
        x, y = int(width * across), int(height * down)
        shade = 1.164 * (luma[y - 2 : y + 2, x - 2 : x + 2].mean() - 16)
        blue, red = (chroma[n, y // 2 - 1 : y // 2 + 1, x // 2 - 1 : x // 2 + 1].mean() - 128 for n in (0, 1))
        rgb = (shade + 1.793 * red, shade - 0.213 * blue - 0.533 * red, shade + 2.112 * blue)
        colors.append((round(rgb[0]), round(rgb[1]), round(rgb[2])))
    combed = float(np.abs(np.diff(strip, axis=0)).mean())
    return Seen(frame.time or 0.0, (centre - bar / 2) / (width - bar), tuple(colors), combed)
