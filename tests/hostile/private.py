"""Files that tell where, when, by whom and with what they were made; and exiftool, which reads all of that."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.hostile.samples import CONTENT_TYPES, compliant_film, moving, sample, short_film
from tests.unit.scanner.structure.walks import segment

MARKER = "lmpPrivate"
PLACE = "52.52, 13.405, 30"
# What exiftool writes where the format has a place for it, and passes over where it has none.
_TAGS = {
    "GPSLatitude": "52.52",
    "GPSLatitudeRef": "N",
    "GPSLongitude": "13.405",
    "GPSLongitudeRef": "E",
    "EXIF:Artist": f"{MARKER}Artist",
    "EXIF:SerialNumber": f"{MARKER}Serial",
    "EXIF:UserComment": f"{MARKER}UserComment",
    "XMP-dc:Description": f"{MARKER}Description",
    "IPTC:Caption-Abstract": f"{MARKER}Caption",
    "Comment": f"{MARKER}Comment",
    "Keys:GPSCoordinates": PLACE,
    "Keys:Comment": f"{MARKER}KeysComment",
    "UserData:GPSCoordinates": PLACE,
    "UserData:LocationInformation": f"{MARKER}Place Role=shooting Lat=52.52 Lon=13.405 Alt=30 Body=earth Notes=none",
    "ItemList:Comment": f"{MARKER}ItemComment",
    "ItemList:Title": f"{MARKER}Title",
}
NAMES = (*(one.replace("/", "-") for one in CONTENT_TYPES), "image-gif-animated", "video-mp4-copied")
"""Names of the files."""


def annotate(folder: Path) -> Mapping[str, Path]:
    """One file of each of NAMES that tells all its format can."""
    paths = {name: folder / name for name in NAMES}
    for name, path in paths.items():
        path.write_bytes(_made(name))
    thumbnail = folder / "thumbnail"
    whole = sample("image/jpeg")
    thumbnail.write_bytes(whole[:2] + segment(0xFE, f"{MARKER}Thumbnail".encode()) + whole[2:])
    # exiftool does not write WebM.
    paths["video-webm"].write_bytes(short_film("video/webm", comment=f"{MARKER}Comment", location="+52.5200+013.4050/"))
    told = [*(f"-{tag}={value}" for tag, value in _TAGS.items()), f"-ThumbnailImage<={thumbnail}"]
    written = [str(path) for name, path in paths.items() if name != "video-webm"]
    subprocess.run(["exiftool", "-q", "-m", "-overwrite_original", *told, *written], check=True, timeout=60)
    return paths


def _made(name: str) -> bytes:
    if name.endswith("animated"):
        return moving("GIF")
    if name.endswith("copied"):
        return compliant_film()
    return sample(name.replace("-", "/", 1))


def tags(paths: Iterable[Path]) -> Mapping[str, str]:
    """Everything exiftool finds in these files, by file, group and name; embedded documents too."""
    command = ["exiftool", "-json", "-a", "-G1", "-s", "-ee", "-b", *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return {
        f"{Path(row['SourceFile']).name} {tag}": str(value)
        for row in json.loads(done.stdout)
        for tag, value in row.items()
    }
