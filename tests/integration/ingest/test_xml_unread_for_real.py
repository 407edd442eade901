"""What ingest and the scanner read as XML while files full of it come in: the object store's answers alone."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.common.errors import Code
from services.ingest.domain.media import State
from tests.hostile import private
from tests.hostile.foreign import XML
from tests.integration.ingest.conftest import Stage, error_of


class Overheard(ElementTree.XMLParser):
    """Keeps all that any of them is fed."""

    fed: list[bytes]

    def feed(self, data: object) -> None:
        assert isinstance(data, str | bytes)
        self.fed.append(data.encode() if isinstance(data, str) else data)
        super().feed(data)


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    found: list[bytes] = []
    monkeypatch.setattr(Overheard, "fed", found, raising=False)
    monkeypatch.setattr(ElementTree, "XMLParser", Overheard)
    return found


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return private.annotate(tmp_path_factory.mktemp("annotated"))


async def test_a4_nothing_of_a_file_is_read_as_xml(
    stage: Stage, fed: list[bytes], annotated: Mapping[str, Path]
) -> None:
    for name, data in XML.items():
        assert (await error_of(stage.upload(data, filename=f"{name}.svg"))).code is Code.MEDIA_TYPE_UNSUPPORTED
    for name, path in annotated.items():
        ref = await stage.promoted(path.read_bytes())
        assert (await stage.media(ref)).state is State.PROCESSING, name
    told = b"".join(fed)
    assert b"InitiateMultipartUploadResult" in told or b"CopyObjectResult" in told
    assert private.MARKER.encode() not in told
    assert b"svg" not in told
    assert b"xmpmeta" not in told
