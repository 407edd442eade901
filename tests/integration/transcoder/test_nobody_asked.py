"""Files that name other files and hosts, and files that carry XML, before the decoders themselves: nobody is asked.

A process that made a socket would be dead of it, and a canary tells who opened it.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from services.transcoder.adapters.fork_server import ENVIRONMENT
from tests.hostile import playlists, private
from tests.hostile.canaries import Canaries
from tests.hostile.foreign import XML
from tests.integration.transcoder import in_turn
from tests.integration.transcoder.workbench import worked_in_turn

FILMS = ("video/mp4", "video/quicktime", "video/webm")
PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/heic", "image/avif")
# Whoever parses XML in Python does it by one of these.
PARSERS = {"pyexpat", "xml", "lxml", "defusedxml", "html.parser"}
ATTEMPT = """
import ctypes, runpy, socket, sys
from pathlib import Path
confine = runpy.run_path(sys.argv[1])["confine"]
folder = Path(sys.argv[2])
confine(folder, folder)
{}
"""
KILLED = -31  # SIGSYS


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    with Canaries(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("attempt", "ending", "touched"),
    [
        pytest.param("socket.socket()", KILLED, [], id="socket"),
        pytest.param("socket.socketpair()", KILLED, [], id="pair"),
        pytest.param("ctypes.CDLL(None).connect(0, None, 0)", KILLED, [], id="connect"),
        pytest.param("(folder / 'canary.mp4').read_bytes()", 0, ["opened"], id="open"),
        pytest.param("", 0, [], id="nothing"),
    ],
)
def test_an_attempt_would_be_seen(
    tmp_path: Path, canaries: Canaries, attempt: str, ending: int, touched: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", ATTEMPT.format(attempt), in_turn.__file__, tmp_path],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == ending, done
    assert canaries.touched() == touched


def playlists_of_all_kinds(url: str, path: str) -> Mapping[str, tuple[str, bytes]]:
    texts = {
        f"A5-{name}-{form}-{content_type}": (content_type, data)
        for name, text in playlists.texts(url, path).items()
        for form, data in (("plain", text), ("behind", playlists.behind_a_beginning(text)))
        for content_type in FILMS
    }
    films = {
        f"A5-mov-{name}-{content_type}": (content_type, playlists.film_elsewhere(reference))
        for name, reference in playlists.references(url, path).items()
        for content_type in FILMS[:2]
    }
    return texts | films


def test_a5_nothing_that_is_named_is_asked_for(tmp_path: Path, canaries: Canaries) -> None:
    files = playlists_of_all_kinds(canaries.url, canaries.path)
    turn = worked_in_turn(tmp_path, files, "bluesky.video")
    assert set(turn.codes.values()) == {"media_corrupt"}
    # A film whose samples are said to be elsewhere is played from where they are not.
    assert all(name.startswith("A5-mov-") for name in turn.results)
    assert canaries.touched() == []
    own_network = str(Path("/proc/self/ns/net").readlink())
    assert ("namespaces" in turn.process["layers"]) == (turn.process["network"] != own_network)


def test_a4_no_xml_is_read(tmp_path: Path) -> None:
    annotated = {
        f"A4-annotated-{name}": (
            name.replace("-animated", "").replace("-copied", "").replace("-", "/", 1),
            path.read_bytes(),
        )
        for name, path in private.annotate(tmp_path).items()
    }
    assert sum(b"xmpmeta" in data for _, data in annotated.values()) >= 8
    drawings = {
        f"A4-{name}-{content_type}": (content_type, data)
        for name, data in XML.items()
        for content_type in (*PICTURES, *FILMS)
    }
    turn = worked_in_turn(tmp_path, annotated | drawings, "bluesky.image", "bluesky.video")
    assert set(turn.results) == set(annotated)
    assert set(turn.codes.values()) == {"media_corrupt"}
    assert PARSERS & set(turn.process["modules"]) == set()
