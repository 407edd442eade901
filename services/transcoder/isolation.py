"""What a decoding process gives up before it reads a stranger's bytes. Linux; one thread, for all of it is per thread.

Layers, by the names they are reported under:

    namespaces     no network interface and no shared memory with anybody (where the kernel lets users have their own)
    no_new_privs   nothing it runs could gain rights
    rlimits        memory, processor seconds, file size, open files; no core dumps
    landlock       only its own folder may be written, only that and program files read
    seccomp        no sockets, no new programs or processes, no signals to others, no odd kernel interfaces

Sources: the kernel's userspace-api documents on Landlock, seccomp filters and unshare; syscall numbers of
asm/unistd_64.h (x86-64) and asm-generic/unistd.h (arm64).
"""

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x08000000, 0x10000000, 0x40000000, 0x00010000

_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SYS_LANDLOCK_CREATE_RULESET, _SYS_LANDLOCK_ADD_RULE, _SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name: (x86-64, arm64); None where it does not exist.
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "open_by_handle_at": (304, 265),
}
_CLONE, _CLONE3, _TGKILL, _PRLIMIT = (
    {"x86_64": 56, "aarch64": 220},
    435,
    {"x86_64": 234, "aarch64": 131},
    {"x86_64": 302, "aarch64": 261},
)

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

# Landlock: rights on files, by the version that knows them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}


class IsolationError(Exception):
    """A layer that was promised could not be put in place."""


def enter(parent: int) -> list[str]:
    """At start, while there is one thread. Returns the layers in force.

    Args:
        parent: The process that started this one, and without which it shall not go on.
    """
    layers = []
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0:
        layers.append("namespaces")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        layers.append("no_new_privs")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # After unshare(), which takes it back together with the rights it gives.
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        raise IsolationError("nobody started this")
    return layers


def available() -> list[str]:
    """What confine() will add on this machine."""
    layers = ["rlimits"]
    if _landlock_version() > 0:
        layers.append("landlock")
    if platform.machine() in _AUDIT_ARCH:
        layers.append("seccomp")
    return layers


def confine(*, readable: Iterable[Path], writable: Path, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Gives up the rest, for good. Everything this process still needs from elsewhere is open or loaded by now.

    Args:
        readable: Files and folders that may be read.   writable: the one folder that may be written.
        memory_bytes: Of address space.   cpu_s: of all threads together.   file_bytes: of any one file written.

    Raises:
        IsolationError: A layer of available() could not be put in place.
    """
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        raise IsolationError(f"{threads} threads run already")
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    layers = available()
    if "landlock" in layers:
        _landlock(readable, writable)
    if "seccomp" in layers:
        _seccomp(platform.machine())


def _landlock_version() -> int:
    """0 where the kernel has none."""
    return max(0, int(_libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, 1)))


def _landlock(readable: Iterable[Path], writable: Path) -> None:
    version = _landlock_version()
    handled = _FS_RIGHTS[max(known for known in _FS_RIGHTS if known <= version)]
    network = 0b11 if version >= 4 else 0
    scoped = 0b11 if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, network, scoped)
    known_size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _checked(_libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, attributes, known_size, 0), "landlock")
    read = _READ_FILE | _READ_DIR
    write = read | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | (_TRUNCATE & handled)
    for path, rights in (*((path, read) for path in readable), (writable, write)):
        if not path.exists():
            continue
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _READ_FILE, place)
        _checked(_libc.syscall(_SYS_LANDLOCK_ADD_RULE, rules, 1, rule, 0), "landlock")
        os.close(place)
    _checked(_libc.syscall(_SYS_LANDLOCK_RESTRICT_SELF, rules, 0), "landlock")
    os.close(rules)


def _seccomp(machine: str) -> None:
    program = _program(machine)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    _checked(_libc.syscall(_SYS_SECCOMP[machine], 1, 0, head), "seccomp")


def _program(machine: str) -> Sequence[tuple[int, int, int, int]]:
    """A classic BPF filter over struct seccomp_data: number at 0, architecture at 4, arguments from 16 on."""
    column = list(_AUDIT_ARCH).index(machine)
    refuse = (_RETURN, 0, 0, _ERRNO | _EPERM)
    steps = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, 0),
        # x86-64's second set of numbers would pass by the list below.
        (_JUMP_AT_LEAST, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    for numbers in _FORBIDDEN.values():
        if (number := numbers[column]) is not None:
            steps += [(_JUMP_EQUAL, 0, 1, number), refuse]
    # The C library falls back to clone(), whose flags a filter can read.
    steps += [(_JUMP_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    steps += [(_JUMP_EQUAL, 0, 3, _CLONE[machine]), (_LOAD, 0, 0, 16), (_JUMP_SET, 1, 0, _CLONE_THREAD), refuse]
    steps += [(_LOAD, 0, 0, 0)]
    # A signal to itself (abort), its own limits; nobody else's.
    steps += [(_JUMP_EQUAL, 0, 3, _TGKILL[machine]), (_LOAD, 0, 0, 16), (_JUMP_EQUAL, 1, 0, os.getpid()), refuse]
    steps += [(_LOAD, 0, 0, 0)]
    steps += [(_JUMP_EQUAL, 0, 3, _PRLIMIT[machine]), (_LOAD, 0, 0, 16), (_JUMP_EQUAL, 1, 0, 0), refuse]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _checked(result: int, layer: str) -> int:
    if result < 0:
        raise IsolationError(f"{layer}: {os.strerror(ctypes.get_errno())}")
    return int(result)
