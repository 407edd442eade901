"""The list of what an image holds names every package that is installed in it, and nothing else."""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from deploy import sbom
from deploy.local.state import REPOSITORY

BASE = f"registry.example.org/python@sha256:{'0a' * 32}"
LINE = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)( ; .*)? \\$", re.MULTILINE)


@cache
def whole(image: str) -> dict[str, Any]:
    """All of one list."""
    return cast("dict[str, Any]", json.loads(sbom.contents(image, tag="1.2.3", base=BASE)))


def listed(image: str, kind: str) -> dict[str, dict[str, Any]]:
    """By name: its components of a kind of package URL."""
    return {one["name"]: one for one in whole(image)["components"] if one.get("purl", "").startswith(f"pkg:{kind}/")}


def test_there_is_one_for_every_image() -> None:
    assert f":{sbom.PYTHON}-" in re.findall(r"^ARG BASE=(.*)$", sbom.DOCKERFILE.read_text(), re.MULTILINE)[0]
    [images] = re.findall(r"^IMAGES := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert set(sbom.locks()) == set(images.split())


@pytest.mark.parametrize("image", ["ingest", "transcoder"])
def test_every_package_of_the_lock_is_in_it_with_its_hashes(image: str) -> None:
    text = sbom.locks()[image].read_text()
    packages = [(name, version) for name, version, marker in LINE.findall(text) if "win32" not in marker]
    assert len(packages) > 20
    found = listed(image, "pypi")
    assert found.keys() == {name for name, _ in packages}
    assert {(name, one["version"]) for name, one in found.items()} <= set(packages)
    for name, one in found.items():
        [source] = one["externalReferences"]
        assert {row["alg"] for row in source["hashes"]} == {"SHA-256"}, name
        assert all(row["content"] in text for row in source["hashes"]), name


def test_what_the_distribution_adds_and_what_all_stands_on_is_named() -> None:
    assert listed("ingest", "deb").keys() == {"libmagic1"}
    found = whole("ingest")
    [base] = [one for one in found["components"] if one["bom-ref"] == "base"]
    assert base["hashes"] == [{"alg": "SHA-256", "content": "0a" * 32}]
    assert (found["metadata"]["component"]["name"], found["metadata"]["component"]["version"]) == ("ingest", "1.2.3")


def test_a_base_that_may_change_is_refused() -> None:
    with pytest.raises(ValueError, match="sha256"):
        sbom.contents("ingest", tag="1.2.3", base="python:3.11-slim")


@pytest.mark.parametrize("base", ["", "python:3.11", "python@sha256:abc"])
def test_nothing_is_released_on_a_base_that_may_change(base: str, tmp_path: Path) -> None:
    command = ["make", "--no-print-directory", "release", f"BASE={base}"]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 2
    assert "BASE" in done.stdout + done.stderr
