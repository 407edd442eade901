"""What is in each image, as CycloneDX.   python -m deploy.sbom <folder> [--base name@sha256:…] [--tag <version>]

Python's packages come from the locks that the Dockerfile installs, with the hashes it holds them to; of the
distribution, what the Dockerfile adds to the base. What the base itself holds is for the base's own list to say: it is
named by its digest.
"""

import argparse
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "deploy" / "k8s" / "Dockerfile"
# Where the images run: the Python of the Dockerfile's own base.
PYTHON = "3.11"
THERE = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
}
DIGEST = re.compile(r"(?P<name>[^@\s]+)@sha256:(?P<digest>[0-9a-f]{64})")
INSTALLED = re.compile(r"apt-get install -y --no-install-recommends ([a-z0-9.+ -]+?) &&")


def locks() -> dict[str, Path]:
    """By image: what its packages are installed from."""
    found = re.findall(r"^FROM build AS build-(\S+)\nCOPY requirements/(\S+) ", DOCKERFILE.read_text(), re.MULTILINE)
    return {image: ROOT / "requirements" / lock for image, lock in found}


def requirements(lock: Path) -> Iterator[str]:
    """Its packages that are installed there, each with its hashes, in pip's words."""
    whole = re.sub(r"\\\n\s*", " ", lock.read_text())
    for line in whole.splitlines():
        if not line or line.startswith(("#", " ")):
            continue
        marker = Requirement(line.partition(" --hash")[0]).marker
        if marker is None or marker.evaluate({**THERE}):
            yield line


def contents(image: str, *, tag: str, base: str = "") -> str:
    """The list of one image, as JSON.

    Args:
        base: name@sha256:…, or "" where the image is not one to be kept.

    Raises:
        ValueError: the base has no digest, or the list is not CycloneDX.
        CalledProcessError: cyclonedx-py could not read the lock.
    """
    program = Path(sysconfig.get_path("scripts")) / "cyclonedx-py"
    asked = [str(program), "requirements", "--no-validate", "--output-reproducible", "--spec-version", "1.6"]
    text = "\n".join(requirements(locks()[image]))
    listed = json.loads(
        subprocess.run(
            [*asked, "--output-file", "-", "-"], input=text, capture_output=True, text=True, check=True
        ).stdout
    )
    listed["metadata"]["component"] = {"bom-ref": "image", "type": "container", "name": image, "version": tag}
    listed["components"] += [*_debian(), *_base(base)]
    done = json.dumps(listed, indent=1, sort_keys=True)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(done):
        raise ValueError(f"{image}: {wrong}")
    return done


def _debian() -> Iterator[dict[str, Any]]:
    for names in INSTALLED.findall(DOCKERFILE.read_text()):
        for name in names.split():
            yield {"bom-ref": f"deb-{name}", "type": "library", "name": name, "purl": f"pkg:deb/debian/{name}"}


def _base(base: str) -> Iterator[dict[str, Any]]:
    if not base:
        return
    found = DIGEST.fullmatch(base)
    if found is None:
        raise ValueError(f"{base}: a base is name@sha256:<64 digits>")
    digest = {"alg": "SHA-256", "content": found["digest"]}
    yield {"bom-ref": "base", "type": "container", "name": found["name"], "hashes": [digest]}


def main(arguments: Sequence[str]) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="deploy.sbom")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", default="")
    parser.add_argument("--tag", default="dev")
    wanted = parser.parse_args(arguments)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    for image in locks():
        path = wanted.folder / f"{image}.cdx.json"
        path.write_text(contents(image, tag=wanted.tag, base=wanted.base) + "\n")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
