"""The decoding process's own work on many files in turn, confined as it is.   python -I cutting.py FOLDER TYPE PRESET…

Files are FOLDER/sources/N, scratch folders FOLDER/made/N. Says a line of JSON for each: N, and what became of it.
"""

import json
import sys
import traceback
from pathlib import Path

from services.transcoder import isolation
from services.transcoder.child import FILM_BYTES, STILL_BYTES, program_files


def main() -> None:
    """All of them."""
    isolation.enter()
    # Not above: see the decoding process.
    from services.platforms import catalog
    from services.transcoder.domain.work import InputFault, WorkRequest
    from services.transcoder.engine import still, work

    still.setup()
    catalog.load()
    catalog.presets("image")
    catalog.presets("video")
    folder, content_type, *presets = sys.argv[1:]
    sources, made = Path(folder, "sources"), Path(folder, "made")
    count, kind = len(list(sources.iterdir())), content_type.partition("/")[0]
    isolation.confine(
        readable=[sources, *program_files()],
        writable=made,
        memory_bytes=STILL_BYTES if kind == "image" else FILM_BYTES,
        cpu_s=120,
        file_bytes=1 << 24,
    )
    for n in range(count):
        request = WorkRequest(
            source=str(sources / str(n)), content_type=content_type, kind=kind, presets=tuple(presets)
        )
        said: dict[str, object] = {}
        try:
            said["result"] = work.do(request, made / str(n)).to_dict()
        except InputFault as fault:
            said["fault"] = fault.to_dict()
        except Exception:  # noqa: BLE001  the decoding process tells of it too
            said["crash"] = traceback.format_exc()
        print(json.dumps({"n": n, **said}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
