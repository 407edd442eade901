"""How long an animation's frames stand, by what its file says."""

import io
import struct

import pytest
from PIL import Image

from services.transcoder.domain.work import InputFault
from services.transcoder.engine.timing import stands_ms


def animation(kind: str, *said_ms: int) -> bytes:
    frames = [Image.new("RGB", (16, 12), (40 * n, 0, 0)) for n in range(len(said_ms))]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=list(said_ms), loop=0)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_frames_stand_as_long_as_they_say_unless_nobody_could_see_them(kind: str) -> None:
    data = animation(kind, 20, 100, 10, 0, 70, 65_530)
    assert stands_ms(kind, data) == [20, 100, 100, 100, 70, 65_530]


def test_a_gif_that_says_nothing_is_shown_at_the_usual_pace() -> None:
    data = animation("gif", 40, 40)
    control = data.index(b"!\xf9\x04")
    assert stands_ms("gif", data[:control] + data[control + 8 :]) == [100, 40]


def test_nothing_is_known_of_other_formats() -> None:
    assert stands_ms("png", animation("png", 40, 40)) == ()


def test_a_frame_without_its_head_is_damage() -> None:
    with pytest.raises(InputFault) as caught:
        stands_ms("webp", b"RIFF\0\0\0\0WEBP" + struct.pack("<4sI", b"ANMF", 16) + bytes(12))
    assert caught.value.code == "media_corrupt"
