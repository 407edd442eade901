"""What a file tells of its maker stays with the owner's source: nothing that is served tells it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.hostile import private
from tests.hostile.attacker import Attacker, served

# Tags, by exiftool's groups and names, that tell of a person, a place or a device, or hold somebody's words.
TELLING = re.compile(
    r"GPS|Locat|Serial|Comment|Artist|:Descr|Caption|Title|Thumb|Make\b|Model|Owner|Creat(e|or)|Date|XMP|IPTC|IFD|Keys"
)
# A film's clock starts at zero where nothing is told; and of the file itself.
EMPTY_DATE = "0000:00:00 00:00:00"
OF_THE_FILE = re.compile(r" (ExifTool|System|File|Composite):|SourceFile")
TELLTALES = [
    private.MARKER.encode(),
    b"52.52",
    b"13.40",
    b"+52.",
    b"\xa9xyz",
    b"loci",
    b"Exif\0",
    b"Photoshop 3.0",
    b"xmpmeta",
]


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return private.annotate(tmp_path_factory.mktemp("annotated"))


def telling(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that tell too much."""
    return {
        tag: value
        for tag, value in tags.items()
        if private.MARKER in value or (TELLING.search(tag) and not OF_THE_FILE.search(tag) and value != EMPTY_DATE)
    }


@pytest.mark.parametrize("name", [pytest.param(one, id=f"S8-{one}") for one in private.NAMES])
def test_nothing_served_tells_who_made_it_where_or_with_what(
    attacker: Attacker, annotated: Mapping[str, Path], tmp_path: Path, name: str
) -> None:
    before = telling(private.tags([annotated[name]]))
    assert len(before) >= 2, before
    if not name.endswith(("gif", "animated", "webm")):
        assert any("GPS" in tag for tag in before), before
    media = attacker.stores(annotated[name].read_bytes(), f"{private.MARKER}.bin")
    assert ("remux" in {variant["how"] for variant in media["variants"]}) == name.endswith("copied")
    paths = []
    for n, (url, answer) in enumerate(served(media).items()):
        assert private.MARKER not in url
        assert [telltale for telltale in TELLTALES if telltale in answer.content] == [], url
        paths.append(tmp_path / str(n))
        paths[-1].write_bytes(answer.content)
    assert telling(private.tags(paths)) == {}
    source = attacker.client.http.get(f"/v1/media/{media['id']}/source")
    assert source.content == annotated[name].read_bytes()
