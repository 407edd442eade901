"""Sets this machine up: virtual environment, pinned packages, Debian packages, npm packages.

    python3 deploy/local/bootstrap.py [run | test | bench] [--doctor]

Needs nothing but Python 3.11; repeated runs cost a few file reads. `test` also gets what only tests use,
`bench` what is only compared with. --doctor changes nothing, and tells what is missing.
"""

import argparse
import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "dev.lock"
STAMP = VENV / ".installed"
OLDEST_PYTHON = (3, 11)
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NPM_PROJECTS = (ROOT / "sdk" / "typescript", *(ROOT / "tests" / name for name in ("crds", "pds", "tus")))


class SetupError(Exception):
    """What is missing and cannot be had here; the message says how to get it."""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purpose", nargs="?", choices=("run", "test", "bench"), default="run")
    parser.add_argument("--doctor", action="store_true")
    arguments = parser.parse_args()
    try:
        check_python()
        if arguments.doctor:
            sys.exit(doctor())
        install_debian(arguments.purpose)
        # Side by side: each takes a core for minutes.
        with ThreadPoolExecutor() as at_once:
            works = [at_once.submit(install_python)]
            if arguments.purpose == "test":
                works.append(at_once.submit(install_npm))
        for work in works:
            work.result()
    except SetupError as exc:
        sys.exit(f"\nsetup: {exc}\n")


def check_python() -> None:
    """See that this interpreter is new enough."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed. "
            "If you have one under another name: make run PYTHON=python3.12"
        )


def doctor() -> int:
    """Tell what is there and what is missing; 1 when something is."""
    packages = list(missing_debian("test"))
    findings = [
        (True, f"Python {sys.version.split()[0]}"),
        (not packages, f"Debian packages missing: {' '.join(packages)}" if packages else "Debian packages"),
        (_installed() == _wanted(), "virtual environment as in requirements/dev.lock"),
        *((stamp.exists(), f"npm packages of {folder.relative_to(ROOT)}") for folder, stamp in npm_projects()),
    ]
    for fine, what in findings:
        print(f"{'ok     ' if fine else 'MISSING'} {what}")
    return 0 if all(fine for fine, _ in findings) else 1


def install_debian(purpose: str) -> None:
    """Install missing Debian packages as root or through sudo.

    Raises:
        SetupError: we may not, or there is no apt; names the packages.
    """
    packages = list(missing_debian(purpose))
    if not packages:
        return
    how = f"apt-get install {' '.join(packages)}"
    apt = shutil.which("apt-get")
    if apt is None:
        raise SetupError(f"missing: {', '.join(packages)} (Debian's names); install them with your package manager")
    privileged = _privilege()
    if privileged is None:
        raise SetupError(f"these Debian packages are missing; install them and run this again:\n    sudo {how}")
    say(f"installing Debian packages: {' '.join(packages)}")
    command = [*privileged, "env", "DEBIAN_FRONTEND=noninteractive", apt, "-qq", "-o", "DPkg::Lock::Timeout=120"]
    # An outdated index names files that are gone, so it is refreshed first.
    call([*command, "update"], "apt-get update failed")
    call([*command, "install", "-y", "--no-install-recommends", *packages], f"`{how}` failed")


def missing_debian(purpose: str) -> Iterator[str]:
    """Names of the Debian packages whose program or library is not here, however it was installed."""
    if not any(Path(path).exists() for path in ("/usr/sbin/clamd", "/usr/local/sbin/clamd", "/usr/bin/clamd")):
        yield "clamav-daemon"
    if ctypes.util.find_library("magic") is None:
        yield "libmagic1"
    if shutil.which("setpriv") is None:
        yield "util-linux"
    if not _has_ensurepip() and not _usable_venv():
        yield "python3-venv"
    if purpose == "bench" and shutil.which("ffmpeg") is None:
        yield "ffmpeg"
    if purpose == "test":
        if not Path("/usr/share/clamav-testfiles").exists():
            yield "clamav-testfiles"
        if shutil.which("exiftool") is None:
            yield "libimage-exiftool-perl"
        if not any(shutil.which(program) for program in CHROMIUM):
            yield "chromium-headless-shell"
        if any(True for _ in npm_projects()):
            if shutil.which("npm") is None:
                yield from ("nodejs", "npm")
            # The PDS's SQLite is compiled where no ready-made one can be fetched.
            yield from (package for package in ("g++", "make") if shutil.which(package) is None)


def install_python() -> None:
    """Make .venv and install exactly what the lock names, then ourselves in place."""
    if _installed() == _wanted():
        return
    if not _usable_venv():
        say("making .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        call([sys.executable, "-m", "venv", str(VENV)], "cannot make .venv")
    say("installing Python packages (once; a few minutes)")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"]
    call([*pip, "install", "--require-hashes", "-r", str(LOCK)], "pip could not install requirements/dev.lock")
    call([*pip, "install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)], "pip could not install this project")
    STAMP.write_text(_wanted())


def install_npm() -> None:
    """Install exactly what each package-lock.json names."""
    for folder, stamp in npm_projects():
        if not stamp.exists():
            say(f"installing npm packages of {folder.relative_to(ROOT)}")
            command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
            call(command, f"npm ci failed in {folder}", cwd=folder)
            stamp.touch()


def npm_projects() -> Iterator[tuple[Path, Path]]:
    """Folders with a package-lock.json, and the file that says its packages are installed."""
    for folder in NPM_PROJECTS:
        lock = folder / "package-lock.json"
        if lock.exists():
            digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
            yield folder, folder / "node_modules" / f".installed-{digest}"


def call(command: Sequence[str], failure: str, *, cwd: Path = ROOT) -> None:
    """Run a command, its output shown.

    Raises:
        SetupError: it failed.
    """
    if subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise SetupError(failure)


def say(text: str) -> None:
    """One line of progress."""
    print(f"setup: {text}", flush=True)


def _privilege() -> list[str] | None:
    """What to put before a command that root must run; None: we may not."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def _has_ensurepip() -> bool:
    try:
        import ensurepip  # noqa: F401  Debian ships it apart from Python
    except ImportError:
        return False
    return True


def _usable_venv() -> bool:
    """Whether .venv has a working interpreter and pip; a moved or half-made one has not."""
    python = VENV / "bin" / "python"
    if not python.exists():
        return False
    command = [str(python), "-c", "import pip, sys; print(sys.prefix)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and Path(done.stdout.strip()) == VENV


def _wanted() -> str:
    """What an up-to-date .venv's stamp says. Its place counts, since a venv cannot be moved."""
    parts = (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _installed() -> str:
    return STAMP.read_text() if STAMP.exists() and (VENV / "bin" / "python").exists() else ""


if __name__ == "__main__":
    main()
