"""What the chart tells operators is what they take, by the schemas of their own types."""

import copy
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from deploy.local.state import REPOSITORY
from tests.chart.rendered import CASES, Values, release

VALIDATOR = REPOSITORY / "tests" / "crds" / "validate.mjs"
KINDS = {"ExternalSecret", "PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}

Place = tuple[str | int, ...]
# Of which resource, where, what is written there, and what is said of it then.
WRONG: list[tuple[str, Place, Any, str]] = [
    ("ScaledObject", ("spec", "pollInterval"), 15, "/spec/pollInterval is not known"),
    ("ScaledObject", ("spec", "maxReplicaCount"), "20", "/spec/maxReplicaCount must be integer"),
    ("ScaledObject", ("spec", "maxReplicaCount"), 2**31, '/spec/maxReplicaCount must match format "int32"'),
    ("ScaledObject", ("spec", "scaleTargetRef"), None, "/spec/scaleTargetRef must be object"),
    (
        "ScaledObject",
        ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleDown", "stabilizationSeconds"),
        600,
        "/spec/advanced/horizontalPodAutoscalerConfig/behavior/scaleDown/stabilizationSeconds is not known",
    ),
    (
        "ScaledObject",
        ("spec", "triggers", 0, "metadata", "query"),
        60,
        "/spec/triggers/0/metadata/query must be string",
    ),
    (
        "ScaledObject",
        ("spec", "triggers", 0, "authenticationRefs"),
        {},
        "/spec/triggers/0/authenticationRefs is not known",
    ),
    (
        "TriggerAuthentication",
        ("spec", "secretTargetRef", 0, "secret"),
        "x",
        "/spec/secretTargetRef/0/secret is not known",
    ),
    ("TriggerAuthentication", ("spec", "secretTargetRef"), {}, "/spec/secretTargetRef must be array"),
    (
        "ExternalSecret",
        ("spec", "secretStoreRef", "kind"),
        "Vault",
        "/spec/secretStoreRef/kind must be equal to one of",
    ),
    ("ExternalSecret", ("spec", "data", 0, "remoteRef", "path"), "x", "/spec/data/0/remoteRef/path is not known"),
    ("ExternalSecret", ("metadata", "label"), {}, "/metadata/label is not known"),
    (
        "PodMonitor",
        ("spec", "podMetricsEndpoints", 0, "interval"),
        "30 s",
        "/spec/podMetricsEndpoints/0/interval must match",
    ),
    ("PodMonitor", ("spec", "endpoints"), [], "/spec/endpoints is not known"),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), 5, "/spec/groups/0/rules/0/for must be string"),
    ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "severity"), "page", "/spec/groups/0/rules/0/severity is not"),
]


def mistakes(manifests: Sequence[Values]) -> list[list[str]]:
    """What is wrong with each."""
    text = json.dumps(manifests)
    done = subprocess.run(["node", str(VALIDATOR)], input=text, capture_output=True, text=True, check=True, timeout=60)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def changed(kind: str, place: Place, value: Any) -> Values:
    """One that is rendered, with one thing said differently."""
    found = copy.deepcopy(release("full").of_kind(kind)[0])
    inner: Any = found
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return found


def test_whatever_the_chart_renders_is_taken() -> None:
    rendered = [one for case in CASES for one in release(case).of_operators()]
    assert {one["kind"] for one in rendered} == KINDS
    wrong = [
        (one["kind"], one["metadata"]["name"], found) for one, found in zip(rendered, mistakes(rendered), strict=True)
    ]
    assert [row for row in wrong if row[2]] == []


def test_a_misspelled_field_and_a_wrong_value_are_not() -> None:
    found = mistakes([changed(*row[:3]) for row in WRONG])
    for row, said in zip(WRONG, found, strict=True):
        assert any(one.startswith(row[3]) for one in said), (row, said)


def test_a_kind_that_nobody_knows_is_not() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        mistakes([changed("PrometheusRule", ("kind",), "PrometheusRules")])
    assert "PrometheusRules" in caught.value.stderr
