"""Files through the engine as it really runs, for tests to look at what comes out."""

from pathlib import Path

from services.platforms import catalog
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.domain.work import Rendition, Status, WorkRequest, WorkResult


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
    ) -> WorkResult:
        self._count += 1
        source, self.scratch = self.folder / f"source-{self._count}", self.folder / f"made-{self._count}"
        source.write_bytes(data)
        self.scratch.mkdir()
        kind = content_type.partition("/")[0]
        wanted = presets or tuple(catalog.presets("image" if kind == "image" else "video"))
        request = WorkRequest(
            source=str(source), content_type=content_type, kind=kind, presets=wanted, cover_at_s=cover_at_s
        )
        return await self._engine.run(request, self.scratch, deadline_s=deadline_s)

    def read(self, rendition: Rendition) -> bytes:
        assert rendition.status is Status.READY, rendition
        assert rendition.file
        return (self.scratch / rendition.file).read_bytes()


def by_preset(result: WorkResult) -> dict[str, Rendition]:
    return {rendition.preset: rendition for rendition in result.renditions}
