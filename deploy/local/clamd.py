"""clamd, Debian's, run by us with the configuration Kubernetes uses, on a unix socket in the state folder."""

import hashlib
import shutil
import socket
import tempfile
from pathlib import Path
from string import Template

from deploy.local.daemon import Daemon
from deploy.local.processes import LocalError
from deploy.local.state import REPOSITORY, State

CONFIG = REPOSITORY / "deploy" / "k8s" / "clamd" / "clamd.conf"
SIGNATURES = REPOSITORY / "deploy" / "local" / "signatures"
SYSTEM_DATABASE = Path("/var/lib/clamav")
LISTEN = "LocalSocket {}\nLocalSocketMode 660\nFixStaleSocket yes"
PROGRAMS = ("/usr/sbin/clamd", "/usr/local/sbin/clamd", "/usr/bin/clamd")
HOW_TO_GET = "install it with `sudo apt-get install clamav-daemon` (as root, `make setup` does it for you)"
# What the private test signature finds, at any offset.
NEEDLE = b"letmepost-test-needle-7f3a91c4d2e85b60"
# sun_path holds 108 bytes with its NUL.
SOCKET_PATH_LIMIT = 107


class Clamd(Daemon):
    """The virus scanner."""

    name = "clamd"
    # An official database takes a while to load.
    ready_within_s = 120.0
    grace_s = 3.0

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._folder = state.folder("clamd")
        self._database = self._folder / "database"
        self._config = self._folder / "clamd.conf"
        self.socket = _short(self._folder / "clamd.sock")
        self.official = has_official_signatures()

    def prepare(self) -> None:
        self._make_database()
        scratch = self._folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        text = Template(CONFIG.read_text()).substitute(
            CLAMD_LISTEN=LISTEN.format(self.socket), CLAMD_DATABASE_DIR=self._database, CLAMD_TMP_DIR=scratch
        )
        self._config.write_text(text)

    def argv(self) -> list[str]:
        return [find_clamd(), f"--config-file={self._config}"]

    def answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as conn:
                conn.settimeout(2)
                conn.connect(str(self.socket))
                conn.sendall(b"zPING\0")
                return conn.recv(16) == b"PONG\0"
        except OSError:
            return False

    def stop(self) -> None:
        super().stop()
        self.socket.unlink(missing_ok=True)

    def _make_database(self) -> None:
        """A folder of links to the official signatures, where there are some, and to ours."""
        shutil.rmtree(self._database, ignore_errors=True)
        self._database.mkdir(mode=0o755)
        sources = [*SIGNATURES.glob("*.hdb"), *SIGNATURES.glob("*.ndb")]
        if self.official:
            sources += [path for path in SYSTEM_DATABASE.iterdir() if path.suffix in {".cvd", ".cld", ".sign"}]
        for path in sources:
            (self._database / path.name).symlink_to(path)


def find_clamd() -> str:
    """Where clamd is.

    Raises:
        LocalError: it is not installed; says how to get it.
    """
    found = next((path for path in (*PROGRAMS, shutil.which("clamd")) if path and Path(path).exists()), None)
    if found is None:
        raise LocalError(f"clamd is missing: {HOW_TO_GET}")
    return found


def has_official_signatures() -> bool:
    """Whether the machine has ClamAV's own database, from freshclam."""
    return any((SYSTEM_DATABASE / f"main{suffix}").exists() for suffix in (".cvd", ".cld"))


def _short(path: Path) -> Path:
    if len(str(path).encode()) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"letmepost-{digest}" / path.name
