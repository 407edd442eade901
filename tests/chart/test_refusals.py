"""Values nobody meant are refused before anything is rendered, by name."""

import copy
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import helm_python
import pytest

from tests.chart.rendered import CHART, NAMESPACE, RELEASE, STAGES, chart, values
from tests.chart.test_settings import PROGRAMS

JSON_PORT = values("full")["jsonPort"]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The least that has to be said, with one thing said differently."""
    found = copy.deepcopy(values("minimal"))
    place = found
    *ways, last = path.split(".")
    for way in ways:
        place = place.setdefault(way, {})
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("stage", {}, "'stage'"),
        ("stages.uploader", {}, "'uploader'"),
        ("stages.gateway.replica", 3, "'replica'"),
        ("stages.gateway.replicas", 0, "/stages/gateway/replicas"),
        ("stages.gateway.port", 70000, "/stages/gateway/port"),
        ("stages.ingest.env", {"UPLOADS-AT-ONCE": "x"}, "UPLOADS-AT-ONCE"),
        ("stages.ingest.env", {"uploads_at_onze": 64}, "uploads_at_onze"),
        ("stages.gateway.settings", {"publicUrl": True}, "'publicUrl'"),
        ("stages.gateway.resources.limits.mem", "1Gi", "'mem'"),
        ("stages.gateway.autoscaling.min", 2, "'min'"),
        ("stages.scanner.replicas", 7, "autoscaling.max (6) is less than replicas (7)"),
        ("stages.transcoder.replicas", 21, "autoscaling.max (20) is less than replicas (21)"),
        ("stores.nats.replicas", 0, "/stores/nats/replicas"),
        ("stores.nats.peers", [{"podSelektor": {}}], "'podSelektor'"),
        ("stores.nats.peers", [{"podSelector": {"matchlabels": {"app": "nats"}}}], "'matchlabels'"),
        ("stores.nats.peers", [{"ipBlock": {"cidr": "10.1.0.10"}}], "/stores/nats/peers/0/ipBlock/cidr"),
        ("stores.nats.peers", [{"ipBlock": {"cidr": "10.1.0.10/32"}, "podSelector": {}}], "/stores/nats/peers/0"),
        ("network.prometheus", {"kubernetes.io/metadata.name": 1}, "/network/prometheus"),
        ("pods.tolerations", [{"key": "media", "efect": "NoSchedule"}], "'efect'"),
        ("pods.nodeSelector", {"pool": True}, "/pods/nodeSelector/pool"),
        ("image.digests", {"scaner": "sha256:" + "a" * 64}, "scaner"),
        ("image.digests", {"scanner": "latest"}, "/image/digests/scanner"),
        ("clamd.mirror", {"url": "https://clamav.example.internal"}, "/clamd/mirror/peers"),
        ("clamd.mirror", {"url": "clamav.example.internal"}, "/clamd/mirror/url"),
        ("stages.transcoder.scratch", "lots", "/stages/transcoder/scratch"),
        ("stages.publisher.needs", ["redis"], "/stages/publisher/needs"),
        ("publicUrl", "media.example.com", "/publicUrl"),
        ("publicUrl", "https://media.example.com/", "/publicUrl"),
        ("common.log_level", "LOUD", "/common/log_level"),
        ("stores.s3.host", "https://s3.example.com", "/stores/s3/host"),
        ("stores.s3.host", "", "/stores/s3/host"),
        ("stores.postgres.peers", [], "/stores/postgres/peers"),
        ("network.dns", [], "/network/dns"),
        ("common.otel_endpoint", "http://collector:4318", "/network/collector/peers"),
        ("secrets.external.enabled", True, "/secrets/external/store/name"),
        ("secrets.external.refresh", "1 hour", "/secrets/external/refresh"),
        ("envoy.service.type", "Ingress", "/envoy/service/type"),
        ("envoy.trustedHops", -1, "/envoy/trustedHops"),
        ("image.pullPolicy", "Sometimes", "/image/pullPolicy"),
        ("drain_s", 0, "/drain_s"),
        ("jsonPort", JSON_PORT | {"callers": []}, "/jsonPort/callers"),
        ("jsonPort", JSON_PORT | {"callers": ["*.example.com"]}, "/jsonPort/callers"),
        ("jsonPort", JSON_PORT | {"callers": ["a|.*"]}, "/jsonPort/callers"),
        ("jsonPort", JSON_PORT | {"peers": []}, "/jsonPort/peers"),
        ("jsonPort", JSON_PORT | {"tlsSecret": ""}, "/jsonPort/tlsSecret"),
        ("keda", {"enabled": True, "pods": 3}, "'pods'"),
        ("keda.podSeconds", 0, "/keda/podSeconds"),
        ("monitoring.rules.runbooks", "docs/runbooks", "/monitoring/rules/runbooks"),
        ("monitoring.rules.runbooks", "https://wiki.example.internal/media/", "/monitoring/rules/runbooks"),
    ],
)
def test_a_value_nobody_meant(path: str, value: Any, named: str) -> None:
    with pytest.raises(helm_python.HelmError) as caught:
        chart().render(changed(path, value), name=RELEASE, namespace=NAMESPACE)
    assert named in str(caught.value)


def test_what_waits_scales_nothing_without_an_end() -> None:
    asked = changed("keda.enabled", True)
    asked["stages"] = {"transcoder": {"autoscaling": None}}
    with pytest.raises(helm_python.HelmError, match="/stages/transcoder"):
        chart().render(asked, name=RELEASE, namespace=NAMESPACE)


@pytest.mark.parametrize("other", ["keda.enabled", "secrets.external"])
def test_bundled_stores_are_for_trying_out(other: str) -> None:
    asked = changed(other, True if other == "keda.enabled" else {"enabled": True, "store": {"name": "vault"}})
    asked["bundled"] = {"enabled": True}
    with pytest.raises(helm_python.HelmError, match=other.replace(".", "/")):
        chart().render(asked, name=RELEASE, namespace=NAMESPACE)


def test_without_policies_nobody_has_to_say_where_the_stores_are() -> None:
    chart().render(values("open"), name=RELEASE, namespace=NAMESPACE)
    with pytest.raises(helm_python.HelmError):
        chart().render(changed("stores.nats.peers", []), name=RELEASE, namespace=NAMESPACE)


def test_no_object_takes_what_it_does_not_name() -> None:
    """But for Helm's own, and for maps whose keys are an operator's."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    open_ones = {path for path, one in objects(schema, "") if one.get("additionalProperties", True) is True}
    assert open_ones == {"/properties/global"}


def objects(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every schema of an object, and where it stands."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for name, inner in schema.items():
            yield from objects(inner, f"{path}/{name}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from objects(inner, f"{path}/{number}")


@pytest.mark.parametrize("part", STAGES)
def test_every_setting_with_a_default_is_known_and_no_other(part: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    named = schema["properties"]["stages"]["properties"][part]["properties"]["env"]["propertyNames"]["enum"]
    assert named == sorted(field.name for field in fields(PROGRAMS[part]) if not field.metadata["required"])
