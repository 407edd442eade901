"""The JSON port in a cluster: off unless asked for, and then for those who are named."""

import base64
import re
from pathlib import Path

import yaml

from deploy.local.certificates import Authority
from deploy.local.envoy import FOLDER, find_envoy
from deploy.local.processes import output_of
from tests.chart.rendered import release
from tests.chart.test_reach import rules

PART = "json-port"


def test_it_is_off_unless_asked_for() -> None:
    for case in ("minimal", "open"):
        assert PART not in {part for part, _, _ in release(case).pods()}
        assert not [one for one in release(case).manifests if PART in one["metadata"]["name"]]


def test_envoy_takes_its_configuration_and_is_given_every_name_it_asks_for(tmp_path: Path) -> None:
    told = release("full").named("ConfigMap", PART)
    text = told["data"]["envoy.yaml"]
    assert "${" not in text.split("overload_manager")[1]
    descriptors = base64.b64decode(told["binaryData"]["json_port.binpb"])
    assert descriptors == (FOLDER / "json_port.binpb").read_bytes()
    (tmp_path / "json_port.binpb").write_bytes(descriptors)
    Authority("a").furnish(tmp_path, "json-port")
    config = tmp_path / "envoy.yaml"
    config.write_text(text.replace("/etc/envoy", str(tmp_path)).replace(": /tls", f": {tmp_path}"))
    output_of([find_envoy(), "--mode", "validate", "--config-path", str(config)], env={})


def test_it_lets_in_who_is_named_and_calls_the_stages_of_this_release() -> None:
    config = yaml.safe_load(release("full").named("ConfigMap", PART)["data"]["envoy.yaml"])["static_resources"]
    [chain] = config["listeners"][0]["filter_chains"]
    tls = chain["transport_socket"]["typed_config"]
    assert tls["require_client_certificate"] is True
    [name] = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    callers = name["matcher"]["safe_regex"]["regex"]
    assert [
        bool(re.fullmatch(callers, one))
        for one in ("batch.example.internal", "desk.example.internal", "batchxexample.internal", "example.internal")
    ] == [True, True, False, False]
    places = {
        one["name"]: one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
        for one in config["clusters"]
    }
    for stage in ("ingest", "transcoder", "publisher"):
        assert places[stage] == {"address": f"lmp-{stage}.media.svc", "port_value": 7000}


def test_only_its_peers_reach_it() -> None:
    found = release("full")
    [labels] = [labels for part, _, labels in found.pods() if part == PART]
    open_to = {rule["ports"][0]["port"]: rule["from"] for rule in rules(found, labels, "ingress")}
    assert open_to == {
        8443: [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "desk"}}}],
        8081: [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    }
