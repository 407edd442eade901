"""Another revision of this repository, on its own: its source, its packages, the settings it knows."""

import json
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

from deploy.local.daemon import base_environment
from deploy.local.processes import LocalError, output_of
from deploy.local.stages import STAGES, Tree
from deploy.local.state import REPOSITORY

LOCK = Path("requirements") / "dev.lock"
INSTALL_S = 900.0
KNOWN = """
import dataclasses, importlib, json, sys
def names(stage):
    return [it.name for it in dataclasses.fields(importlib.import_module(f"services.{stage}.settings").Settings)]
print(json.dumps({stage: names(stage) for stage in sys.argv[1:]}))
"""
WHERE = "import importlib, sys; print(importlib.import_module(sys.argv[1]).__file__)"


def commit_of(revision: str) -> str:
    """What git calls it.

    Raises:
        LocalError: git knows no such revision.
    """
    return _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()


def unpacked(commit: str, folder: Path) -> Tree:
    """That commit in the folder, with an interpreter that finds nothing of any other tree: decoders are started without
    a look at PYTHONPATH or at where they are. Its packages are those here, if it locks the same, and else installed.

    Raises:
        LocalError: they cannot be had.
    """
    root, archive = folder / "tree", folder / "tree.tar"
    _git("archive", "--output", str(archive), commit)
    with tarfile.open(archive) as packed:
        packed.extractall(root, filter="data")
    venv = folder / "venv"
    output_of([sys.executable, "-m", "venv", "--without-pip", str(venv)], env=base_environment())
    python = str(venv / "bin" / "python")
    lines = [str(root), str(root / "proto" / "gen")]
    if (root / LOCK).read_bytes() == (REPOSITORY / LOCK).read_bytes():
        # Not as a site, or its .pth files would bring our own tree along; but decoders may read what Python calls one.
        lines += [sysconfig.get_path("purelib"), f"import site; site.PREFIXES.append({sys.prefix!r})"]
    else:
        _install(python, root / LOCK)
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(venv)}))
    (site / "tree.pth").write_text("\n".join(lines))
    for module in ("services.transcoder.child", "mediaapi.v1.media_pb2"):
        found = _run(python, root, WHERE, module).strip()
        if not Path(found).is_relative_to(root):
            raise LocalError(f"{module} of {commit} would be {found}")
    return Tree(root=root, python=python, known=json.loads(_run(python, root, KNOWN, *STAGES)))


def _run(python: str, root: Path, code: str, *arguments: str) -> str:
    return output_of([python, "-I", "-c", code, *arguments], env=base_environment(), cwd=root)


def _install(python: str, lock: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--no-input"]
    output_of([*pip, "install", "-q", "--require-hashes", "-r", str(lock)], env=base_environment(), timeout_s=INSTALL_S)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
