"""libmagic's opinion of a file's first bytes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import magic


class Libmagic:
    """ports.SecondOpinion. One thread, since a magic cookie serves one caller at a time."""

    def __init__(self) -> None:
        """Loads the type table, so that a machine without one fails at start."""
        self._magic = magic.Magic(mime=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="libmagic")

    async def __call__(self, head: bytes) -> str:
        """A MIME type, "application/octet-stream" for what it does not know."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._magic.from_buffer, head)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()
