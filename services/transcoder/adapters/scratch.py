"""ports.Scratch on a disk: one private folder for each job."""

import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.common.errors import Code, MediaError

PREFIX = "job-"


class DiskFolder:
    """ports.Folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        """See ports.Folder."""
        return self._path

    async def output(self, name: str) -> Path:
        """See ports.Folder."""
        return await asyncio.to_thread(self._output, name)

    def _output(self, name: str) -> Path:
        path = self._path / name
        try:
            # A link would make us serve any file we can read.
            regular = stat.S_ISREG(path.lstat().st_mode) and path.resolve().is_relative_to(self._path.resolve())
        except (OSError, ValueError) as exc:
            raise MediaError(Code.INTERNAL, why=f"output {name!r}: {exc}") from exc
        if not regular:
            raise MediaError(Code.INTERNAL, why=f"output {name!r} is no file of the job")
        return path


class DiskScratch:
    """A folder that no other process uses.

    Args:
        root: Made when it is not there; what jobs of a dead process left in it goes at once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in root.glob(f"{PREFIX}*"):
            shutil.rmtree(left)

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[DiskFolder]:
        """See ports.Scratch. Raises MediaError: UNAVAILABLE, there is no room."""
        try:
            made = await asyncio.to_thread(tempfile.mkdtemp, prefix=PREFIX, dir=self._root)
        except OSError as exc:
            raise MediaError(Code.UNAVAILABLE, why=f"scratch: {exc}") from exc
        try:
            yield DiskFolder(Path(made))
        finally:
            await asyncio.to_thread(shutil.rmtree, made)
