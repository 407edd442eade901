"""The decoding process's own work on many files in turn, confined as it is.   python -I in_turn.py FOLDER PRESET…

Files are FOLDER/sources/N.TYPE with a dot for the type's slash, scratch folders FOLDER/made/N.TYPE. Says a line of JSON
for each: its name, and what became of it. The last line tells of the process: its modules, its layers, its network.

To make a socket or start a program is not just refused, as it is elsewhere, but deadly, so that nobody tries unseen.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from services.transcoder import isolation
from services.transcoder.child import FILM_BYTES, load, program_files
from services.transcoder.domain.work import InputFault, WorkRequest
from services.transcoder.engine import work

_LOAD, _JUMP_EQUAL, _RETURN, _KILL_PROCESS = 0x20, 0x15, 0x06, 0x80000000
# socket, socketpair, connect, execve
_DEADLY = {"x86_64": (41, 53, 42, 59), "aarch64": (198, 199, 203, 221)}
_refusing = isolation._program


def _killing(machine: str) -> Sequence[tuple[int, int, int, int]]:
    deadly = [step for n in _DEADLY[machine] for step in ((_JUMP_EQUAL, 0, 1, n), (_RETURN, 0, 0, _KILL_PROCESS))]
    return [(_LOAD, 0, 0, 0), *deadly, *_refusing(machine)]


def confine(readable: Path, made: Path) -> Sequence[str]:
    """Returns the layers in force. readable: more than a decoder needs, so that it is seen to read nothing else."""
    isolation._program = _killing
    isolation.confine(
        readable=[readable, *program_files()],
        writable=made,
        memory_bytes=FILM_BYTES,
        cpu_s=120,
        file_bytes=1 << 24,
    )
    return isolation.available()


def main() -> None:
    """All of them."""
    layers = isolation.enter(os.getppid())
    network = str(Path("/proc/self/ns/net").readlink())
    load()
    folder, presets = Path(sys.argv[1]), tuple(sys.argv[2:])
    sources = sorted((folder / "sources").iterdir())
    layers += confine(folder, folder / "made")
    for source in sources:
        kind, subtype = source.name.split(".")[1:]
        request = WorkRequest(source=str(source), content_type=f"{kind}/{subtype}", kind=kind, presets=presets)
        said: dict[str, object] = {"name": source.name}
        try:
            said["result"] = work.do(request, folder / "made" / source.name).to_dict()
        except InputFault as fault:
            said["fault"] = fault.to_dict()
        except Exception:  # noqa: BLE001  the decoding process tells of it too
            said["crash"] = traceback.format_exc()
        _say(said)
    _say({"layers": layers, "network": network, "modules": sorted(sys.modules)})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
