"""A film's own streams in a fresh MP4: nothing is decoded, and nothing but picture and first sound comes along.

Only samples are copied, so what lies between them in the source stays behind. Of a picture's units only slices and the
parameters that decode them are; the latter are read and written anew.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from services.common.errors import Code
from services.transcoder.domain.work import InputFault
from services.transcoder.engine import film
from services.transcoder.engine.encoder import MUXER
from services.transcoder.engine.film import Source

# ITU-T H.264, table 7-1: slices, slices of IDR pictures, and both kinds of parameter sets. All others may hold whatever
# somebody wrote into them: filler, types nobody defined, and messages (SEI), of which a progressive film that begins
# every group with an IDR picture needs none. Captions go with them, as they do when a film is encoded.
_KEPT_UNITS = (1, 5, 7, 8)
# ISO/IEC 14496-3, 1.6.2.1: AAC-LC's type, rate and channels, and three flags that are off. What may follow announces
# extensions, which such a stream does not have.
_AAC_CONFIG_BYTES = 2


def copy(path: Path, content_type: str, to: Path) -> None:
    """Writes the copy; whether it came out even is for a probe to tell.

    Raises:
        InputFault: It cannot be copied like that; encoding may still be possible.
    """
    with film.opened(path, content_type) as source, closing(av.open(to, "w", format="mp4", options=dict(MUXER))) as out:
        made = {stream.index: out.add_stream_from_template(stream) for stream in source.tracks}
        if source.sound is not None:
            _plain_config(made[source.sound.index])
        units = _units(source, made[source.picture.index])
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
            if packet.stream is source.picture:
                _write(out, units.filter(packet), made[source.picture.index])
            elif packet.pts is None or packet.pts >= 0:
                _write(out, [packet], made[packet.stream_index])
        _write(out, units.filter(None), made[source.picture.index])


def _units(source: Source, made: Stream) -> BitStreamFilterContext:
    kept = "|".join(map(str, _KEPT_UNITS))
    return BitStreamFilterContext(f"filter_units=pass_types={kept},h264_metadata", source.picture, made)


def _plain_config(sound: Stream) -> None:
    """Cuts off what follows in its configuration. Raises InputFault: it is none of plain AAC-LC in mono or stereo."""
    said = (sound.codec_context.extradata or b"")[:_AAC_CONFIG_BYTES]
    bits = int.from_bytes(said, "big")
    kind, rate, channels, flags = bits >> 11, bits >> 7 & 15, bits >> 3 & 15, bits & 7
    if kind != 2 or rate > 12 or channels not in (1, 2) or flags:
        raise InputFault(Code.MEDIA_TYPE_UNSUPPORTED, f"sound configured by {said.hex()}")
    sound.codec_context.extradata = said


def _write(out: OutputContainer, packets: "Iterable[Packet[Stream]]", made: Stream) -> None:
    for packet in packets:
        packet.stream = made
        out.mux(packet)
