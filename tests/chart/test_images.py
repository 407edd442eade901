"""What the images hold: the same packages as here, and of the code all that their program imports."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from deploy.local.state import REPOSITORY
from tests.chart.rendered import Values, release

DOCKERFILE = (REPOSITORY / "deploy" / "k8s" / "Dockerfile").read_text()
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def steps(target: str) -> str:
    """The Dockerfile's lines from `FROM … AS <target>` to the next FROM."""
    [found] = re.findall(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return str(found)


def containers() -> dict[str, Values]:
    """By part: the container that runs an image of ours."""
    repository = "registry.example.org/media/"
    return {
        container["image"].removeprefix(repository).partition(":")[0]: container
        for part, spec, _ in release("full").pods()
        for container in spec["containers"]
        if container["image"].startswith(repository) and part != "test"
    }


IMAGES = sorted(containers())


def test_there_is_one_for_each_part() -> None:
    targets = set(re.findall(r"^FROM runtime AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert targets == set(IMAGES)
    [listed] = re.findall(r"^IMAGES := (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert set(listed.split()) == targets


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_what_the_chart_runs(image: str) -> None:
    [command] = re.findall(r"^CMD (.*)$", steps(image), re.MULTILINE)
    assert sorted(ast.literal_eval(command)) == sorted(containers()[image]["args"])


@pytest.mark.parametrize("image", IMAGES)
def test_it_holds_the_code_its_program_imports(image: str) -> None:
    copied = {
        Path(source)
        for source in re.findall(r"^COPY (services/\S+) ", steps("build") + steps(f"build-{image}"), re.MULTILINE)
    }
    assert all((REPOSITORY / folder).is_dir() for folder in copied)
    own = copied - {Path("services/admin")}  # Its commands import a stage's code where that stage is.
    for path in (path for folder in own for path in (REPOSITORY / folder).rglob("*.py")):
        for module in re.findall(r"^\s*(?:from|import) (services\.\w+)", path.read_text(), re.MULTILINE):
            assert Path(module.replace(".", "/")) in copied, f"{path} imports {module}"


@pytest.mark.parametrize("image", IMAGES)
def test_its_packages_are_those_that_are_tested(image: str) -> None:
    [lock] = set(re.findall(r"^COPY requirements/(\S+) ", steps(f"build-{image}"), re.MULTILINE))
    text = (REPOSITORY / "requirements" / lock).read_text()
    here = dict(PINNED.findall((REPOSITORY / "requirements" / "dev.lock").read_text()))
    there = dict(PINNED.findall(text))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"].get(image, ())]
    assert {re.split(r"[^A-Za-z0-9._-]", name)[0].lower() for name in asked} <= there.keys()
    assert there.items() <= here.items()
    assert text.count("--hash=sha256:") >= len(there)


def test_nobody_is_root_in_it() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "USER" in steps("runtime")
