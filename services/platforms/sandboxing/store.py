"""What a sandbox keeps: JSON documents in SQLite, files by their sha256. Both survive a kill.

The public methods are coroutines; the work is done in threads.
"""

import asyncio
import hashlib
import json
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from services.platforms.ports import JSON

Doc = Mapping[str, JSON]
T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (
    kind TEXT NOT NULL, id TEXT NOT NULL, stored_at REAL NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS docs_by_age ON docs (kind, stored_at);
"""


PIECE_BYTES = 1024 * 1024


class TooLargeError(Exception):
    """More bytes came than the upstream takes."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes that arrived. sha256 is lower-case hex."""

    sha256: str
    size_bytes: int
    path: Path


class Store:
    """One sandbox's memory, in one folder."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes it."""
        self._files = folder / "files"
        self._parts = folder / "parts"
        for made in (self._files, self._parts):
            made.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "docs.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    async def close(self) -> None:
        """Nothing may be asked afterwards."""
        await self._run(lambda db: db.close())

    async def add(self, kind: str, doc_id: str, doc: Doc) -> bool:
        """Keeps a new document; False, and nothing is changed, if this id is taken."""
        values = (kind, doc_id, time.time(), json.dumps(doc))
        return await self._run(
            lambda db: db.execute("INSERT OR IGNORE INTO docs VALUES (?,?,?,?)", values).rowcount == 1
        )

    async def update(self, kind: str, doc_id: str, change: Callable[[Doc], Doc]) -> Doc | None:
        """Replaces a document by change(document), with nothing in between. The new one; None if there is none."""

        def work(db: sqlite3.Connection) -> Doc | None:
            row = db.execute("SELECT doc FROM docs WHERE kind=? AND id=?", (kind, doc_id)).fetchone()
            if row is None:
                return None
            changed = change(_doc(row[0]))
            db.execute("UPDATE docs SET doc=? WHERE kind=? AND id=?", (json.dumps(changed), kind, doc_id))
            return changed

        return await self._run(work)

    async def get(self, kind: str, doc_id: str) -> Doc | None:
        """One document."""
        query = "SELECT doc FROM docs WHERE kind=? AND id=?"
        row = await self._run(lambda db: db.execute(query, (kind, doc_id)).fetchone())
        return None if row is None else _doc(row[0])

    async def newest(self, kind: str, limit: int = 100) -> list[Doc]:
        """Documents of a kind, newest first."""
        query = "SELECT doc FROM docs WHERE kind=? ORDER BY stored_at DESC, rowid DESC LIMIT ?"
        rows = await self._run(lambda db: db.execute(query, (kind, limit)).fetchall())
        return [_doc(row[0]) for row in rows]

    async def keep(self, pieces: AsyncIterator[bytes], max_bytes: int) -> StoredFile:
        """Writes what arrives to a file named by its digest. Raises TooLargeError past max_bytes, keeping nothing."""
        with closing(_open_temporary(self._files)) as file:
            digest, size = hashlib.sha256(), 0
            async for piece in pieces:
                size += len(piece)
                if size > max_bytes:
                    raise TooLargeError(f"more than {max_bytes} B")
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.flush)
            path = self.file(digest.hexdigest())
            _link(Path(file.name), path)
        return StoredFile(digest.hexdigest(), size, path)

    async def keep_part(self, name: str, index: int, pieces: AsyncIterator[bytes]) -> int:
        """Writes one part of a file that comes in parts, instead of an earlier one of this index. Its size in bytes.

        Args:
            name: What the parts have in common; a file's name, and never the client's own words.
        """
        folder = self._parts / name
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        size = 0
        with closing(_open_temporary(self._parts)) as file:
            async for piece in pieces:
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(file.flush)
            part = folder / str(index)
            part.unlink(missing_ok=True)
            _link(Path(file.name), part)
        return size

    async def join_parts(self, name: str, count: int, max_bytes: int) -> StoredFile:
        """The parts 0 to count - 1 as one file; they are gone afterwards. Raises TooLargeError, FileNotFoundError."""
        folder = self._parts / name
        joined = await self.keep(_read_all([folder / str(index) for index in range(count)]), max_bytes)
        await asyncio.to_thread(shutil.rmtree, folder)
        return joined

    def file(self, sha256: str) -> Path:
        """Where the bytes of that digest are, if they ever arrived."""
        return self._files / sha256

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def locked() -> T:
            with self._lock:
                return work(self._db)

        return await asyncio.to_thread(locked)


def _open_temporary(folder: Path) -> BinaryIO:
    return cast(BinaryIO, tempfile.NamedTemporaryFile(dir=folder, prefix="arriving-"))


async def _read_all(paths: Sequence[Path]) -> AsyncIterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece


def _link(source: Path, target: Path) -> None:
    """A second name outlives the temporary one; the same bytes may be there already."""
    if not target.exists():
        target.hardlink_to(source)


def _doc(text: str) -> Doc:
    return cast(Doc, json.loads(text))
