"""Clips for measuring: a camera that moves over a detailed scene, under a sensor's grain; the same on every machine."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

FPS = 30
SOUND_RATE_HZ = 48_000
BIT_RATE = 10_000_000  # a phone's, at full HD
GRAIN = 5.0  # levels of 256, one sigma
# Grain repeats after so many frames, which is longer than an encoder looks back.
GRAINS = 7

ENCODER = {"preset": "veryfast", "g": "60", "flags": "+cgop"}

Planes = npt.NDArray[np.int16]


def make(path: Path, *, seconds: float, width: int, height: int, level: str) -> None:
    """Writes an H.264 clip of 30 frames a second with a soft tone.

    Args:
        path: A .mov file.   level: H.264's, which it says it is of.
    """
    random = np.random.default_rng(1)
    scene = _scene(random, width * 3 // 2, height * 3 // 2)
    grains = [random.normal(0, GRAIN, (height, width, 1)).astype(np.int16) for _ in range(GRAINS)]
    with av.open(path, "w") as out:
        video = out.add_stream("libx264", rate=FPS, options=ENCODER | {"level": level})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate = BIT_RATE * width * height // (1920 * 1080)
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        sound = out.add_stream("aac", rate=SOUND_RATE_HZ, layout="stereo")
        assert isinstance(sound, av.AudioStream)
        out.mux(sound.encode(_tone(seconds)))
        out.mux(sound.encode(None))
        for n in range(round(seconds * FPS)):
            # Two slow swings that never line up: the view moves a few pixels each frame.
            left = round(width / 4 * (1 + np.sin(n / 40)))
            top = round(height / 4 * (1 + np.cos(n / 53)))
            view = scene[top : top + height, left : left + width] + grains[n % GRAINS]
            frame = av.VideoFrame.from_ndarray(np.clip(view, 0, 255).astype(np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1)
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


def _scene(random: np.random.Generator, width: int, height: int) -> Planes:
    """Soft random shapes of every size, each half as large with seven tenths of the contrast, mostly grey."""
    scene, across, contrast = np.full((height, width, 3), 127, dtype=np.float32), 4, 45.0
    while across < width:
        size = (max(2, across * height // width), across)
        values = (random.normal(0, 1, (*size, 1)) + random.normal(0, 0.4, (*size, 3))).astype(np.float32)
        for plane in range(3):
            shapes = Image.fromarray(np.ascontiguousarray(values[..., plane]))
            scene[..., plane] += contrast * np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC))
        across, contrast = across * 2, contrast * 0.7
    return scene.astype(np.int16)


def _tone(seconds: float) -> av.AudioFrame:
    at = np.arange(round(seconds * SOUND_RATE_HZ), dtype=np.float32) / SOUND_RATE_HZ
    wave = (0.2 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE_HZ, 0, Fraction(1, SOUND_RATE_HZ)
    return frame


if __name__ == "__main__":
    target, length, wide, high, named = sys.argv[1:]
    make(Path(target), seconds=float(length), width=int(wide), height=int(high), level=named)
