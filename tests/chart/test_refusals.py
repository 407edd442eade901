"""Values nobody meant are refused before anything is rendered, by name."""

import copy
from typing import Any

import helm_python
import pytest

from tests.chart.rendered import NAMESPACE, RELEASE, chart, values

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
