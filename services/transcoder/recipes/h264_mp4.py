"""Films as H.264 and AAC in MP4, the kind every platform takes: one decode for all sizes, a thread for each encoder.

Closed groups of two seconds, High profile, 8-bit 4:2:0 BT.709, every frame as long as the others, sound in stereo at
48 kHz, the index in front, neither edit list nor metadata: without an edit list some ingests (Bluesky's video service)
take a first frame that is late for damage, so composition offsets are negative instead.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from services.transcoder.domain.films import Mp4
from services.transcoder.domain.probe import Probe
from services.transcoder.engine import film
from services.transcoder.engine.decoding import Pictures
from services.transcoder.engine.encoder import Encoder
from services.transcoder.engine.sound import Sound


def encode(
    path: Path, content_type: str, probe: Probe, wanted: Mapping[Mp4, Path], *, progress: Callable[[float], None]
) -> None:
    """Decodes the film once and writes every rendition.

    Args:
        path, content_type, probe: The source.
        wanted: Where each goes; one or more, all of the same frame rate.
        progress: Told at each frame what part of the film is through, 0..1.

    Raises:
        InputFault: The source cannot be decoded to its end.
    """
    with film.opened(path, content_type) as source, ExitStack() as stack:
        sound = Sound(wanted, probe.duration_s, lambda one, packet: encoders[one].give(packet))
        encoders = {one: stack.enter_context(Encoder(one, to, sound.track(one))) for one, to in wanted.items()}
        pictures = Pictures(probe, encoders)
        for packet in source.container.demux(*source.tracks):
            for frame in packet.decode():
                if isinstance(frame, VideoFrame):
                    pictures.push(frame)
                    sound.begin(pictures.start_s)
                    progress(pictures.part)
                elif isinstance(frame, AudioFrame):
                    sound.push(frame)
        pictures.end()
        sound.end()
        finish(encoders.values())


def finish(encoders: Collection[Encoder]) -> None:
    """Until all files are whole."""
    for encoder in encoders:
        encoder.end()
    for encoder in encoders:
        encoder.finish()
