from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from services.transcoder.domain.films import Mp4
from services.transcoder.engine.encoder import Encoder
from services.transcoder.engine.sound import RATE_HZ, Track

RECIPE = Mp4(64, 48, fps=Fraction(25), crf=30, max_kbps=400, audio_kbps=64)


def frame(n: int) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(np.full((72, 64), 128, dtype=np.uint8), "yuv420p")
    made.pts, made.time_base = n, 1 / RECIPE.fps
    return made


def tone() -> av.AudioFrame:
    wave = np.sin(np.arange(RATE_HZ // 5, dtype=np.float32) / 20)
    made = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    made.sample_rate, made.pts, made.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    return made


def test_films_share_one_track(tmp_path: Path) -> None:
    track, paths = Track(RECIPE.audio_kbps), [tmp_path / "one.mp4", tmp_path / "other.mp4"]
    packets = track.encode([tone(), None])
    for path in paths:
        with Encoder(RECIPE, path, track) as encoder:
            for n in range(5):
                encoder.give(frame(n))
            for packet in packets:
                encoder.give(packet)
            encoder.finish()
    assert sound_of(paths[0]) == sound_of(paths[1]) == [bytes(packet) for packet in packets]
    with av.open(paths[1]) as film:
        (sound,) = film.streams.audio
        assert (sound.codec_context.name, sound.codec_context.profile, sound.rate) == ("aac", "LC", RATE_HZ)
        assert sum(heard.samples for heard in film.decode(sound)) >= RATE_HZ // 5


def sound_of(path: Path) -> list[bytes]:
    with av.open(path) as film:
        return [bytes(packet) for packet in film.demux(film.streams.audio) if packet.size]


def test_a_film_that_cannot_be_written_to_its_end_is_an_error_and_does_not_wait() -> None:
    with Encoder(RECIPE, Path("/dev/full")) as encoder:
        encoder.give(frame(0))
        with pytest.raises(OSError, match="No space left"):
            encoder.finish()
