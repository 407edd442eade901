"""`moov` and what follows from it: tracks, edits, fragments."""

from services.common.errors import Code
from services.scanner.structure.bmff.boxes import check_depth, children
from services.scanner.structure.bmff.fragments import Fragments
from services.scanner.structure.bmff.tables import TrackBoxes, times
from services.scanner.structure.bmff.track import PICTURE, SOUND, STILL, Track, check, check_edits
from services.scanner.structure.ceilings import (
    MAX_ANIMATION_FRAMES,
    MAX_ANIMATION_PX,
    MAX_DURATION_S,
    MAX_PACKETS,
    MAX_STREAMS,
    MAX_VIDEO_EDGE_PX,
)
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_MOST_SAMPLES = 4 * MAX_PACKETS  # of all tracks


class Movie:
    """Everything that is said about tracks in one file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._tracks: list[Track] = []
        self._by_id: dict[int, Track] = {}
        self._timescale = 0
        self._fragments = Fragments(reader, self._by_id)
        self.found = False

    def read(self, end: int) -> Steps[None]:
        """`moov`, the first one; demuxers pass over any other."""
        if self.found:
            return
        self.found = True
        handlers = {
            b"mvhd": self._head,
            b"trak": self._track,
            b"mvex": lambda end: children(self._reader, end, {b"trex": self._fragments.defaults}),
            b"udta": self.notes,
            b"meta": self.notes,
            b"cmov": self._compressed,
        }
        yield from children(self._reader, end, handlers)

    def fragment(self, end: int) -> Steps[None]:
        """`moof`."""
        yield from self._fragments.read(end)

    def notes(self, end: int) -> Steps[None]:
        """`udta` and `meta`: nobody here reads them, but a demuxer looks into them."""
        size = end - self._reader.position
        self._reader.metadata(size)
        check_depth((yield from self._reader.take(size)), 2)

    def check_film(self) -> None:
        """Raises Refused unless it is a film of bearable size."""
        if not any(track.handler == PICTURE for track in self._tracks):
            raise corrupt("no picture track")
        self._check_tracks()
        picture = next(track for track in self._tracks if track.handler == PICTURE)
        for one in picture.pictures():
            if max(one.width, one.height) > MAX_VIDEO_EDGE_PX:
                raise Refused(Code.MEDIA_DIMENSIONS_EXCEEDED, f"{one.width} x {one.height}")
        sounds = [sound for track in self._tracks if track.handler == SOUND for sound in track.sounds()[:1]]
        if sounds and not any(sound.playable for sound in sounds):
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"{sounds[0].channels} channels at {sounds[0].rate_hz:.0f} Hz")

    def check_animation(self) -> None:
        """Raises Refused when the tracks of a picture are too much."""
        self._check_tracks()
        for track in self._tracks:
            if track.handler not in (STILL, PICTURE):
                continue
            if track.samples > MAX_ANIMATION_FRAMES:
                raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"{track.samples} frames")
            for one in track.pictures():
                if not one.width or not one.height:
                    continue  # only the codec knows
                check_picture(one.width, one.height)
                if track.samples > 1 and track.samples * one.width * one.height > MAX_ANIMATION_PX:
                    raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"{track.samples} frames of {one.width} x {one.height}")

    def _check_tracks(self) -> None:
        for track in self._tracks:
            check(track, self._reader.size)
            check_edits(track, self._timescale)
        if sum(track.samples for track in self._tracks if not track.in_chunks) > _MOST_SAMPLES:
            raise Refused(Code.MEDIA_FRAMES_EXCEEDED, f"more than {_MOST_SAMPLES} samples in all")

    def _head(self, end: int) -> Steps[None]:
        self._timescale, duration = yield from times(self._reader, end)
        if self._timescale and duration / self._timescale > MAX_DURATION_S:
            raise Refused(Code.MEDIA_DURATION_EXCEEDED, f"{duration / self._timescale:.0f} s")

    def _track(self, end: int) -> Steps[None]:
        track = Track()
        self._tracks.append(track)
        if len(self._tracks) > MAX_STREAMS:
            raise Refused(Code.MEDIA_TOO_COMPLEX, f"more than {MAX_STREAMS} tracks")
        yield from TrackBoxes(self._reader, track).read(end)
        self._by_id[track.track_id] = track

    def _compressed(self, end: int) -> Steps[None]:
        """QuickTime's packed movie, which nothing has written for twenty years."""
        raise Refused(Code.MEDIA_TOO_COMPLEX, f"a compressed movie of {end - self._reader.position} bytes")
        yield
