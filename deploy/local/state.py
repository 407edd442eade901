"""The one folder everything lives in, and the secrets made once and kept there."""

import fcntl
import os
import secrets
import shutil
import threading
from pathlib import Path

from deploy.local.processes import LocalError

REPOSITORY = Path(__file__).resolve().parents[2]
_WRITING = threading.Lock()


class State:
    """`.local/`, or wherever LMP_STATE_DIR says. Secrets are files only their owner may read."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise LocalError(f"cannot make {self.root}: {exc.strerror}") from exc
        owner = self.root.stat().st_uid
        if owner != os.geteuid():
            raise LocalError(
                f"{self.root} belongs to uid {owner}, and you are uid {os.geteuid()}: run as the same user as before, "
                "or choose another folder with LMP_STATE_DIR=<folder>"
            )
        # Walkable, so that PostgreSQL, which refuses to be root, gets to its folder; each part closes its own.
        self.root.chmod(0o711)
        self.logs = self.folder("logs")

    @classmethod
    def default(cls) -> "State":
        """The repository's own."""
        return cls(Path(os.environ.get("LMP_STATE_DIR", str(REPOSITORY / ".local"))))

    def folder(self, name: str) -> Path:
        """A folder of one part, made when it is not there yet."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """Where that process writes."""
        return self.logs / f"{name}.log"

    def secret(self, name: str, *, size_bytes: int = 24) -> str:
        """A random secret in hex, the same one each time it is asked for."""
        path = self.folder("secrets") / name
        with _WRITING:
            # Stages are started by threads at once, and ask for each other's.
            if not path.exists():
                write_private(path, secrets.token_hex(size_bytes))
        return path.read_text()

    def write_secret(self, name: str, value: str) -> Path:
        """Store a secret of our choosing; returns its file."""
        path = self.folder("secrets") / name
        with _WRITING:
            return write_private(path, value)

    def lock(self) -> int:
        """Claim the folder until the returned descriptor is closed.

        Raises:
            LocalError: a running stack has it.
        """
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            owner = os.read(handle, 20).decode() or "?"
            os.close(handle)
            raise LocalError(f"a stack runs on {self.root} already (pid {owner}); `make down` stops it") from exc
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        return handle

    def owner(self) -> int | None:
        """Process id of the stack that runs on this folder."""
        path = self.root / "lock"
        if not path.exists():
            return None
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or "0") or None
        return None

    def remove(self) -> None:
        """Drop everything: data, keys, logs.

        Raises:
            LocalError: a running stack uses it.
        """
        handle = self.lock()
        try:
            shutil.rmtree(self.root)
        finally:
            os.close(handle)


def write_private(path: Path, text: str) -> Path:
    """Write a file only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    draft.replace(path)
    return path
