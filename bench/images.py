"""One photograph of 12 megapixels for five platforms: time, quality and bytes against other ways of doing it."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.harness import ROOT, Bar, Contender, Section, interleaved, run, table
from bench.image_targets import Target, five_platforms, told
from services.transcoder.adapters.fork_server import ENVIRONMENT

PEERS = ROOT / "bench" / "peers"
# Where `make bench` puts what only it needs.
INSTALLED = {"PYTHONPATH": str(ROOT / ".local" / "bench")}
OURS, SHARP = "this service, its whole job", "`sharp`, binary search, per platform"
MOST_PEAK_MIB = 100
MOST_ENCODES = 3  # one for each size
SSIM_STEP = 0.001  # below what one step of quality makes: equal


@dataclass(frozen=True, slots=True)
class Scene:
    """A photograph: contrast and grain as scenes.photograph() takes them. faster: × than sharp we must be."""

    name: str
    shape: tuple[float, float]
    faster: float


# One whose largest rendition is far above the tightest cap, and one that is below it at the top quality.
SCENES = (Scene("a binding byte cap", (26, 3), 2.0), Scene("a slack byte cap", (10, 3), 1.0))


def measure(rounds: int) -> Section:
    """Every way on both photographs."""
    targets = five_platforms()
    tightest = min(targets, key=lambda target: target.limit_bytes).name
    texts, bars = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "photograph.jpg")
        for scene in SCENES:
            run(_python("the scene", "bench.scenes", str(source), *map(str, scene.shape)))
            results = _series(source, Path(folder, scene.name), targets, rounds)
            texts.append(_shown(scene, tightest, results))
            bars += _bars(scene, tightest, results)
    return Section("\n\n".join(texts), bars)


def _series(source: Path, folder: Path, targets: Sequence[Target], rounds: int) -> Mapping[str, Mapping[str, float]]:
    """By name of the way: its median figures, and those of quality."""

    def made(way: str) -> Path:
        (folder / way).mkdir(parents=True, exist_ok=True)
        return folder / way

    def python(name: str, way: str) -> tuple[Contender, Path]:
        contender = _python(name, "bench.image_ways", way, str(source), str(made(way)), told(targets))
        # This service's has the environment of its decoding process.
        return replace(contender, environment={**INSTALLED, **ENVIRONMENT}) if way == "ours" else contender, made(way)

    def sharp(name: str, way: str) -> tuple[Contender, Path]:
        program = ("node", str(PEERS / "sharp.mjs"), way, str(source), str(made(way)), told(targets))
        return Contender(name, program), made(way)

    ways = [
        python(OURS, "ours"),
        sharp(SHARP, "each"),
        sharp("`sharp`, one decode, each size once", "shared"),
        python("libvips (`pyvips`), binary search, per platform", "vips"),
        python("Pillow, full decode, ladder, per platform", "pillow_ladder"),
    ]
    figures, made_by = {}, {way.name: made for way, made in ways}
    for name, result in interleaved([way for way, _ in ways], rounds).items():
        files = sorted(map(str, made_by[name].iterdir()))
        judged = run(_python(name, "bench.image_quality", str(source), *files))
        figures[name] = {
            "wall_s": result.wall_s,
            "cpu_s": result.cpu_s,
            "peak_mib": result.peak_mib,
            **result.told,
            **judged.told,
        }
    return figures


def _shown(scene: Scene, tightest: str, results: Mapping[str, Mapping[str, float]]) -> str:
    ours = results[OURS]["wall_s"]
    rows = [
        [
            name,
            f"{1000 * one['wall_s']:.0f} ms",
            f"{one['wall_s'] / ours:.1f}",
            f"{1000 * one['cpu_s']:.0f} ms",
            f"{one['peak_mib']:.0f} MiB",
            f"{one['encodes']:.0f}",
            f"{one[f'ssim:{tightest}']:.4f}",
            f"{one[f'bytes:{tightest}']:,.0f}",
        ]
        for name, one in results.items()
    ]
    head = ("way", "wall", "÷ ours", "CPU", "peak", "encodes", f"SSIM of {tightest}", "its bytes")
    return f"With {scene.name}:\n\n{table(head, rows)}"


def _bars(scene: Scene, tightest: str, results: Mapping[str, Mapping[str, float]]) -> list[Bar]:
    ours, sharp = results[OURS], results[SHARP]
    ratio = sharp["wall_s"] / ours["wall_s"]
    seen = f"ssim:{tightest}"
    return [
        Bar(f"{scene.name}: ≥ {scene.faster:g} × as fast as `sharp`", f"{ratio:.2f} ×", ratio >= scene.faster),
        Bar(
            f"{scene.name}: SSIM lower by 0.001 at most",
            f"{ours[seen]:.4f} to {sharp[seen]:.4f}",
            ours[seen] >= sharp[seen] - SSIM_STEP,
        ),
        Bar(f"{scene.name}: ≤ {MOST_ENCODES} encodes", f"{ours['encodes']:.0f}", ours["encodes"] <= MOST_ENCODES),
        Bar(f"{scene.name}: ≤ {MOST_PEAK_MIB} MiB", f"{ours['peak_mib']:.0f} MiB", ours["peak_mib"] <= MOST_PEAK_MIB),
    ]


def _python(name: str, module: str, *arguments: str) -> Contender:
    return Contender(name, (sys.executable, "-m", module, *arguments), INSTALLED)
