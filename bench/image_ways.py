"""Ways of making one photograph into what platforms take, each run in a process of its own.

python -m bench.image_ways WAY SOURCE FOLDER TARGETS: does the work once unmeasured, for caches and pools, then once
measured, and prints the seconds and how often something was encoded. FOLDER then holds a file per target.
"""

import io
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps

from bench.image_targets import Target, heard

Way = Callable[[Path, Path, Sequence[Target]], None]
encodes = 0


def ours(source: Path, folder: Path, targets: Sequence[Target]) -> None:
    """The transcoder's whole job: probe, renditions read back, fit and thumbhash too."""
    from services.transcoder.domain.work import WorkRequest
    from services.transcoder.engine import work

    with tempfile.TemporaryDirectory() as scratch:
        names = tuple(target.name for target in targets)
        request = WorkRequest(source=str(source), content_type="image/jpeg", kind="image", presets=names)
        for made in work.do(request, Path(scratch)).renditions:
            assert made.file is not None, made
            (folder / f"{made.preset}.jpg").write_bytes(Path(scratch, made.file).read_bytes())


def pillow_ladder(source: Path, folder: Path, targets: Sequence[Target]) -> None:
    """As it is usually written: every target by itself, decoded whole, quality down in steps of ten."""
    for target in targets:
        with Image.open(source) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        image.thumbnail((target.width, target.height), Image.Resampling.LANCZOS)
        for quality in range(target.quality[0], target.quality[1] - 1, -8):
            data = _encoded(image, quality)
            if len(data) <= target.limit_bytes:
                break
        (folder / f"{target.name}.jpg").write_bytes(data)


def vips(source: Path, folder: Path, targets: Sequence[Target]) -> None:
    """libvips by its Python binding: reduced while decoding, halving what is left of the range of quality."""
    import pyvips

    for target in targets:
        image = pyvips.Image.thumbnail(str(source), target.width, height=target.height, size="down").copy_memory()

        def encoded(quality: int, image: pyvips.Image = image) -> bytes:
            _count()
            return bytes(image.jpegsave_buffer(Q=quality, optimize_coding=True, keep="none"))

        (folder / f"{target.name}.jpg").write_bytes(_halving(encoded, target))


def _halving(encoded: Callable[[int], bytes], target: Target) -> bytes:
    best, worst = target.quality
    found = encoded(best)
    if len(found) <= target.limit_bytes:
        return found
    low, high = worst, best - 1
    while low <= high:
        quality = (low + high) // 2
        tried = encoded(quality)
        if len(tried) <= target.limit_bytes:
            found, low = tried, quality + 1
        else:
            high = quality - 1
    assert len(found) <= target.limit_bytes
    return found


def _encoded(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return buffer.getvalue()


def _count() -> None:
    global encodes
    encodes += 1


WAYS: dict[str, Way] = {"ours": ours, "pillow_ladder": pillow_ladder, "vips": vips}


def main(way: str, source: str, folder: str, targets: str) -> None:
    """One way, once."""
    save = Image.Image.save

    def counted(image: Image.Image, *args: object, **options: object) -> None:
        _count()
        save(image, *args, **options)  # type: ignore[arg-type]

    Image.Image.save = counted  # type: ignore[method-assign, assignment]
    if way == "ours":
        from bench import forks

        forks.load()
    once = _forked if way == "ours" else _here
    for _ in range(2):
        figures = once(partial(WAYS[way], Path(source), Path(folder), heard(targets)))
    print(json.dumps(figures))


def _here(work: Callable[[], None]) -> Mapping[str, float]:
    global encodes
    encodes = 0
    cpu_s, began = _cpu_s(resource.getrusage(resource.RUSAGE_SELF)), time.perf_counter()
    work()
    wall_s = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "wall_s": wall_s,
        "cpu_s": _cpu_s(used) - cpu_s,
        "encodes": encodes,
        "peak_mib": used.ru_maxrss / 1024,
    }


def _forked(work: Callable[[], None]) -> Mapping[str, float]:
    """As the service does a job: in a process forked for it, which ends with it. The fork is in the time; the peak is
    all that process has of memory, also what it shares."""
    from bench import forks

    began = time.perf_counter()
    encodes, used = forks.forked(lambda: _here(work)["encodes"])
    wall_s = time.perf_counter() - began
    return {"wall_s": wall_s, "cpu_s": _cpu_s(used), "encodes": encodes, "peak_mib": used.ru_maxrss / 1024}


def _cpu_s(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
