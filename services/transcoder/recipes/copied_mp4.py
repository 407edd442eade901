"""A film's own streams in a fresh MP4: nothing is decoded, and nothing but picture and first sound comes along."""

from contextlib import closing
from pathlib import Path

import av

from services.common.errors import Code
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.recipes.h264_mp4 import MUXER


def copy(path: Path, content_type: str, to: Path) -> None:
    """Writes the copy; whether it came out even is for a probe to tell. Raises InputFault."""
    with film.opened(path, content_type) as source, closing(av.open(to, "w", format="mp4", options=dict(MUXER))) as out:
        made = {stream.index: out.add_stream_from_template(stream) for stream in source.tracks}
        start_s = film.start_s(source)
        for packet in source.container.demux(*source.tracks):
            if packet.dts is None:
                continue  # the end of a track
            if packet.time_base is None:
                raise InputFault(Code.MEDIA_CORRUPT, "a packet without a clock")
            shift = round(start_s / packet.time_base)
            packet.dts -= shift
            if packet.pts is not None:
                packet.pts -= shift
            if packet.stream is source.sound and packet.pts is not None and packet.pts < 0:
                continue
            packet.stream = made[packet.stream_index]
            out.mux(packet)
