"""The items of a HEIF picture (ISO/IEC 23008-12 and 14496-12, 8.11): tiles, previews, depth maps, their properties."""

import struct
from collections import Counter

from services.common.errors import Code
from services.scanner.structure.bmff.boxes import children, fields
from services.scanner.structure.bmff.tables import version
from services.scanner.structure.ceilings import MAX_EXTENTS, MAX_ITEMS, MAX_TILE_PX
from services.scanner.structure.reading import Reader, Refused, Steps, check_picture, corrupt

_SIZE = struct.Struct(">III")
_METADATA = frozenset((b"Exif", b"mime", b"uri "))
_IN_FILE = 0  # iloc's construction method


class Items:
    """`meta`, read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kinds: dict[int, bytes] = {}
        self._properties: list[int] = []  # pixels of each, 0 for all but sizes
        self._pixels: dict[int, int] = {}  # of each item
        self._tiles: Counter[int] = Counter()
        self.found = False

    def read(self, end: int) -> Steps[None]:
        """The first one; decoders pass over any other."""
        if self.found:
            return
        self.found = True
        yield from version(self._reader, end)
        handlers = {b"iinf": self._infos, b"iloc": self._places, b"iprp": self._iprp, b"iref": self._references}
        yield from children(self._reader, end, handlers)

    def check(self) -> None:
        """After the last box: refuses tiles that make more pixels than they have bytes for."""
        pixels = sum(count * self._pixels.get(item, 0) for item, count in self._tiles.items())
        if pixels > MAX_TILE_PX:
            raise Refused(Code.MEDIA_PIXELS_EXCEEDED, f"tiles of {pixels} pixels")

    @property
    def pictured(self) -> bool:
        """Whether any item has a size."""
        return any(self._properties)

    def _infos(self, end: int) -> Steps[None]:
        wide = yield from version(self._reader, end)
        count = yield from self._reader.number(4 if wide else 2)
        _check_items(count)
        yield from children(self._reader, end, {b"infe": self._info})

    def _info(self, end: int) -> Steps[None]:
        layout = yield from version(self._reader, end)
        if layout < 2:
            return
        width = 4 if layout > 2 else 2
        head = yield from self._reader.take(min(width + 6, end - self._reader.position))
        self._kinds[int.from_bytes(head[:width], "big")] = head[width + 2 :]
        _check_items(len(self._kinds))

    def _places(self, end: int) -> Steps[None]:
        layout = yield from version(self._reader, end)
        widths = yield from self._reader.number(2)
        offset_w, length_w, base_w, index_w = (widths >> shift & 15 for shift in (12, 8, 4, 0))
        index_w = index_w if layout else 0
        item_w = 4 if layout == 2 else 2
        count = yield from self._reader.number(item_w)
        _check_items(count)
        extents_in_all = 0
        for _ in range(count):
            item = yield from self._reader.number(item_w)
            method = (yield from self._reader.number(2)) & 15 if layout else _IN_FILE
            yield from self._reader.skip(2)
            base = yield from self._reader.number(base_w)
            extents = yield from self._reader.number(2)
            extents_in_all += extents
            if extents_in_all > MAX_EXTENTS:
                raise Refused(Code.MEDIA_TOO_COMPLEX, f"{extents_in_all} extents")
            for _ in range(extents):
                yield from self._reader.skip(index_w)
                offset = base + (yield from self._reader.number(offset_w))
                length = yield from self._reader.number(length_w)
                self._check_extent(item, method, offset, length)
            if self._reader.position > end:
                raise corrupt("places outside of their box")

    def _check_extent(self, item: int, method: int, offset: int, length: int) -> None:
        if method == _IN_FILE and offset + length > self._reader.size:
            raise corrupt(f"item {item} lies behind the end of the file")
        if self._kinds.get(item) in _METADATA:
            self._reader.metadata(length)

    def _iprp(self, end: int) -> Steps[None]:
        yield from children(self._reader, end, {b"ipco": self._ipco, b"ipma": self._ipma})

    def _ipco(self, end: int) -> Steps[None]:
        """Properties are numbered as they come, whatever they are."""
        reader = self._reader
        while end - reader.position >= 8:
            self._properties.append(0)
            _check_items(len(self._properties))
            size, kind = struct.unpack(">I4s", (yield from reader.take(8)))
            after = reader.position + size - 8
            if size < 8 or after > end:
                raise corrupt(f"a property {kind!r} of {size} bytes")
            if kind == b"ispe":
                _, width, height = yield from fields(reader, after, _SIZE)
                check_picture(width, height)
                self._properties[-1] = width * height
            elif kind == b"colr":
                reader.metadata(after - reader.position)
            yield from reader.skip(after - reader.position)

    def _ipma(self, end: int) -> Steps[None]:
        (full,) = yield from fields(self._reader, end, struct.Struct(">I"))
        item_w, index_w = (4 if full >> 24 else 2), (2 if full & 1 else 1)
        count = yield from self._reader.number(4)
        _check_items(count)
        for _ in range(count):
            item = yield from self._reader.number(item_w)
            associations = yield from self._reader.number(1)
            data = yield from self._reader.take(associations * index_w)
            for at in range(0, len(data), index_w):
                index = int.from_bytes(data[at : at + index_w], "big") & (0x7FFF if index_w == 2 else 0x7F)
                if 0 < index <= len(self._properties):
                    self._pixels[item] = max(self._pixels.get(item, 0), self._properties[index - 1])
            if self._reader.position > end:
                raise corrupt("associations outside of their box")

    def _references(self, end: int) -> Steps[None]:
        width = 4 if (yield from version(self._reader, end)) else 2
        yield from children(self._reader, end, {b"dimg": lambda end: self._tiles_of(end, width)})

    def _tiles_of(self, end: int, width: int) -> Steps[None]:
        yield from self._reader.number(width)
        count = yield from self._reader.number(2)
        if count * width > end - self._reader.position:
            raise corrupt(f"{count} references in {end - self._reader.position} bytes")
        data = yield from self._reader.take(count * width)
        self._tiles.update(int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width))


def _check_items(count: int) -> None:
    if count > MAX_ITEMS:
        raise Refused(Code.MEDIA_TOO_COMPLEX, f"{count} items")
