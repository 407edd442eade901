"""The chart as Helm renders it, offline."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import helm_python
import yaml

from deploy.local.state import REPOSITORY

CHART = REPOSITORY / "deploy" / "k8s" / "chart"
RELEASE, NAMESPACE = "lmp", "media"
# What stands beside the chart for its tests: the least, all that can be switched on, and the barest.
CASES = tuple(sorted(path.stem for path in (CHART / "ci").glob("*.yaml")))
STAGES = ("gateway", "ingest", "scanner", "transcoder", "publisher")
COMPONENT = "app.kubernetes.io/component"
# Whose definitions are not part of Kubernetes.
OPERATORS = ("external-secrets.io", "keda.sh", "monitoring.coreos.com")

Values = dict[str, Any]


def values(case: str) -> Values:
    """Those of `ci/<case>.yaml`."""
    return cast("Values", yaml.safe_load((CHART / "ci" / f"{case}.yaml").read_text()))


@dataclass(frozen=True, slots=True)
class Release:
    """All manifests of one rendering."""

    manifests: tuple[Values, ...]

    def of_kind(self, kind: str) -> list[Values]:
        return [one for one in self.manifests if one["kind"] == kind]

    def of_operators(self) -> list[Values]:
        """Custom resources."""
        return [one for one in self.manifests if one["apiVersion"].split("/")[0] in OPERATORS]

    def named(self, kind: str, part: str) -> Values:
        """The one manifest of that kind that belongs to a part."""
        [found] = [one for one in self.of_kind(kind) if one["metadata"]["name"] == f"{RELEASE}-{part}"]
        return found

    def pods(self) -> Iterator[tuple[str, Values, dict[str, str]]]:
        """Part, pod spec and labels of every pod, those of jobs and tests too."""
        for one in self.manifests:
            if one["kind"] in ("Deployment", "StatefulSet", "Job"):
                template = one["spec"]["template"]
                yield template["metadata"]["labels"][COMPONENT], template["spec"], template["metadata"]["labels"]
            elif one["kind"] == "Pod":
                yield one["metadata"]["labels"][COMPONENT], one["spec"], one["metadata"]["labels"]


@cache
def chart() -> helm_python.Chart:
    """Loaded once."""
    return helm_python.Chart.load(str(CHART))


@cache
def release(case: str) -> Release:
    """Rendered with `ci/<case>.yaml`."""
    return rendered(values(case))


def rendered(wanted: Values) -> Release:
    """With those values."""
    texts = chart().render(wanted, name=RELEASE, namespace=NAMESPACE)
    found = [one for path, text in texts.items() if Path(path).suffix == ".yaml" for one in yaml.safe_load_all(text)]
    return Release(tuple(one for one in found if one))


def environment(container: Values) -> dict[str, str]:
    """What a container is told in plain words."""
    return {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}
