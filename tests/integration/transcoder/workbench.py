"""Files through the engine as it really runs, for tests to look at what comes out."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.platforms import catalog
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.adapters.fork_server import ENVIRONMENT
from services.transcoder.domain.segments import Encoded, Segment
from services.transcoder.domain.work import Rendition, Status, WorkRequest, WorkResult
from tests.integration.transcoder import in_turn


class Bench:
    """Runs files through the engine; renditions by preset, and where they lie."""

    def __init__(self, engine: SandboxedEngine, folder: Path) -> None:
        self._engine = engine
        self.folder = folder
        self._count = 0

    async def run(
        self,
        data: bytes,
        content_type: str,
        *presets: str,
        deadline_s: float = 120.0,
        cover_at_s: float | None = None,
        segment: Segment | None = None,
        encoded: Encoded | None = None,
    ) -> WorkResult:
        self._count += 1
        source, self.scratch = self.folder / f"source-{self._count}", self.folder / f"made-{self._count}"
        source.write_bytes(data)
        self.scratch.mkdir()
        kind = content_type.partition("/")[0]
        wanted = presets or tuple(catalog.presets("image" if kind == "image" else "video"))
        request = WorkRequest(
            source=str(source),
            content_type=content_type,
            kind=kind,
            presets=wanted,
            cover_at_s=cover_at_s,
            segment=segment,
            encoded=encoded,
        )
        return await self._engine.run(request, self.scratch, deadline_s=deadline_s)

    def read(self, rendition: Rendition) -> bytes:
        assert rendition.status is Status.READY, rendition
        assert rendition.file
        return (self.scratch / rendition.file).read_bytes()


def by_preset(result: WorkResult) -> dict[str, Rendition]:
    return {rendition.preset: rendition for rendition in result.renditions}


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of many files in one process: renditions, or else a code, by the files' names.

    Attributes:
        process: What it said of itself.
        made: Folders of the renditions.
    """

    results: Mapping[str, WorkResult]
    codes: Mapping[str, str]
    process: Mapping[str, Any]
    made: Mapping[str, Path]


def worked_in_turn(folder: Path, files: Mapping[str, tuple[str, bytes]], *presets: str) -> Turn:
    """Types and bytes, by name. Raises AssertionError where the process died or a decoder crashed."""
    stored = {name: f"{n:05}.{kind.replace('/', '.')}" for n, (name, (kind, _)) in enumerate(files.items())}
    made = {name: folder / "made" / path for name, path in stored.items()}
    (folder / "sources").mkdir()
    for name, (_, data) in files.items():
        (folder / "sources" / stored[name]).write_bytes(data)
        made[name].mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-I", in_turn.__file__, folder, *presets],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(told)) == (0, len(files) + 1), done
    by_name = dict(zip(files, told, strict=False))
    assert [one for one in by_name.values() if "crash" in one] == []
    results = {name: WorkResult.from_dict(one["result"]) for name, one in by_name.items() if "result" in one}
    codes = {name: str(one["fault"]["code"]) for name, one in by_name.items() if "fault" in one}
    return Turn(results, codes, told[-1], made)
