"""What a taken-over decoding process can still do: nothing. Each escape is really tried, in a process like it."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.transcoder.adapters.fork_server import ENVIRONMENT

HEAD = """
import os, sys
from pathlib import Path
from services.transcoder import isolation
layers = isolation.enter(os.getppid())
import ctypes, errno, signal, socket, threading
libc = ctypes.CDLL(None, use_errno=True)
own, secret = Path(sys.argv[1]), Path(sys.argv[2])
isolation.confine(readable=[Path(sys.prefix), Path(sys.base_prefix)], writable=own,
                  memory_bytes=1 << 30, cpu_s=2, file_bytes=1 << 20)
"""

TRY = """
try:
    {}
except (OSError, ValueError) as exc:
    print('refused', exc)
else:
    print('ESCAPED')
"""

# Each ends in "refused" when it is refused as it should be.
ESCAPES = {
    "connect": "socket.create_connection(('127.0.0.1', int(sys.argv[3])), 2)",
    "open a socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "talk to a neighbour": "socket.socket(socket.AF_UNIX)",
    "read a sibling's file": "secret.read_bytes()",
    "list the parent folder": "os.listdir(secret.parent)",
    "read /etc/passwd": "Path('/etc/passwd').read_bytes()",
    "read another's memory": "Path(f'/proc/{os.getppid()}/mem').open('rb')",
    "read another's environment": "Path(f'/proc/{os.getppid()}/environ').read_bytes()",
    "write a sibling's file": "secret.write_bytes(b'x')",
    "write where everybody may": "Path('/tmp/escaped').write_bytes(b'x')",
    "make a device": "os.mknod(own / 'device', 0o600 | 0o020000, os.makedev(1, 5))",
    "link to a secret": "os.link(secret, own / 'link')",
    "fork": "os.fork()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "run one in a child": "os.posix_spawn('/bin/true', ['true'], {})",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "new namespaces": "libc.unshare(0x10000000) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), 'unshare'))",
    "trace": "libc.ptrace(16, os.getppid(), 0, 0) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), 'ptrace'))",
    "raise its limits": "__import__('resource').setrlimit(7, (4096, 4096))",
    "change the parent's limits": "__import__('resource').prlimit(os.getppid(), 7, (4096, 4096))",
}


def confined(code: str, folder: Path, port: int = 0) -> subprocess.CompletedProcess[str]:
    own = folder / "own"
    own.mkdir(exist_ok=True)
    secret = folder / "other" / "secret"
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes(b"a neighbour's photo")
    return subprocess.run(
        [sys.executable, "-I", "-c", HEAD + code, str(own), str(secret), str(port)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
def test_it_is_refused(tmp_path: Path, escape: str) -> None:
    done = confined(TRY.format(ESCAPES[escape]), tmp_path)
    assert done.stdout.startswith("refused"), done
    assert (tmp_path / "other" / "secret").read_bytes() == b"a neighbour's photo"


def test_its_own_work_is_not_hindered(tmp_path: Path) -> None:
    code = """
(own / 'made').write_bytes(b'rendition')
assert (own / 'made').read_bytes() == b'rendition'
(own / 'made').unlink()
done = []
thread = threading.Thread(target=lambda: done.append(1)); thread.start(); thread.join()
assert done
import decimal
print('fine')
"""
    done = confined(code, tmp_path)
    assert done.stdout == "fine\n", done


@pytest.mark.parametrize(
    ("code", "signals"),
    [
        ("while True: pass", {-24}),
        # Pages nobody writes cost no time, which has a limit too.
        (
            "import mmap\nheld = []\ntry:\n    while True: held.append(mmap.mmap(-1, 1 << 26))\nexcept OSError: pass",
            {0},
        ),
        ("open(own / 'big', 'wb').write(bytes(1 << 21))", {1}),
        ("os.abort()", {-6}),
    ],
    ids=["spin", "hoard", "fill the disk", "abort"],
)
def test_it_ends_by_its_limits(tmp_path: Path, code: str, signals: set[int]) -> None:
    assert confined(code, tmp_path).returncode in signals
    assert sum(path.stat().st_size for path in (tmp_path / "own").iterdir()) <= 1 << 20


def test_another_architectures_system_calls_are_not_a_way_out(tmp_path: Path) -> None:
    """x86-64's second set of numbers: getpid by it ends the process."""
    done = confined("libc.syscall(0x40000000 + 39); print('ESCAPED')", tmp_path)
    assert (done.returncode, done.stdout) == (-31, "")
