"""Who reaches whom: the network policies, evaluated, against the table of what each stage is for."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.chart.rendered import Release, release, values

CASE = "full"
POSTGRES, NATS, S3 = 6432, 4222, 9000
GRPC, HTTP, METRICS = 7000, 8000, 9000
# From each part: the parts and ports it may reach. Nothing else may be reached by anybody.
INSIDE = {
    ("gateway", "ingest", GRPC),
    ("gateway", "scanner", GRPC),
    ("gateway", "transcoder", GRPC),
    ("gateway", "publisher", GRPC),
    ("ingest", "scanner", GRPC),
    ("publisher", "ingest", GRPC),
    ("publisher", "transcoder", GRPC),
    ("publisher", "sandbox", 7300),
    ("scanner", "clamd", 3310),
    ("envoy", "gateway", HTTP),
    ("test", "envoy", 8080),
    ("json-port", "ingest", GRPC),
    ("json-port", "transcoder", GRPC),
    ("json-port", "publisher", GRPC),
}
STORES = {
    "gateway": {"postgres"},
    "ingest": {"postgres", "nats", "s3"},
    "scanner": {"s3"},
    "transcoder": {"postgres", "nats", "s3"},
    "publisher": {"postgres", "nats"},
    "envoy": {"s3"},
    "json-port": set(),
    "migrate": {"postgres"},
    "clamd": set(),
    "sandbox": set(),
    "test": set(),
}
# Of public addresses, port 443.
INTERNET = {"ingest", "publisher", "clamd", "sandbox", "test"}
PRIVATE = (
    "10.0.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "224.0.0.1",
    "0.0.0.1",
)
PRIVATE_V6 = ("::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1")
PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")


def rules(found: Release, labels: dict[str, str], way: str) -> Iterator[dict[str, Any]]:
    """What any policy that chooses the pod allows."""
    for policy in found.of_kind("NetworkPolicy"):
        if policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items():
            yield from policy["spec"].get(way) or ()


def isolated(found: Release, labels: dict[str, str]) -> bool:
    """Chosen by a policy for both ways: what is not allowed is forbidden."""
    return any(
        set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        for policy in found.of_kind("NetworkPolicy")
        if policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    )


def allows(rule: dict[str, Any], peers: str, labels: dict[str, str], port: int) -> bool:
    if not any(one["port"] == port and one.get("protocol", "TCP") == "TCP" for one in rule["ports"]):
        return False
    return peers not in rule or any(
        "podSelector" in peer
        and "namespaceSelector" not in peer
        and peer["podSelector"]["matchLabels"].items() <= labels.items()
        for peer in rule[peers]
    )


def test_the_parts_reach_each_other_as_they_should_and_not_otherwise() -> None:
    found = release(CASE)
    pods = {part: labels for part, _, labels in found.pods()}
    ports = {
        one["containerPort"] for _, spec, _ in found.pods() for c in spec["containers"] for one in c.get("ports", ())
    }
    reached = {
        (source, target, port)
        for source, ours in pods.items()
        for target, theirs in pods.items()
        for port in ports
        if any(allows(rule, "to", theirs, port) for rule in rules(found, ours, "egress"))
        and any(allows(rule, "from", ours, port) for rule in rules(found, theirs, "ingress"))
    }
    assert reached == INSIDE
    assert all(isolated(found, labels) for labels in pods.values())


def test_the_stores_are_reached_by_those_who_need_them() -> None:
    found = release(CASE)
    stores = values(CASE)["stores"]
    ports = {"postgres": POSTGRES, "nats": NATS, "s3": S3}
    for part, _, labels in found.pods():
        reached = {
            name
            for name, port in ports.items()
            for rule in rules(found, labels, "egress")
            if rule.get("to") == stores[name]["peers"] and {"port": port, "protocol": "TCP"} in rule["ports"]
        }
        assert reached == STORES[part], part


@pytest.mark.parametrize("case", ["full", "minimal"])
def test_only_those_who_must_reach_the_internet_and_nothing_inside_it(case: str) -> None:
    found = release(case)
    # Without TLS in Envoy, the test stays inside.
    expected = INTERNET if case == "full" else INTERNET - {"test"}
    peers = [peer for row in values(case)["stores"].values() for peer in row["peers"]]
    for part, _, labels in found.pods():
        blocks = [
            (peer["ipBlock"], rule["ports"])
            for rule in rules(found, labels, "egress")
            for peer in rule["to"]
            if "ipBlock" in peer and peer not in peers
        ]
        assert all(ports == [{"port": 443, "protocol": "TCP"}] for _, ports in blocks), part
        assert {address for address in PUBLIC if within(blocks, address)} == (
            set(PUBLIC) if part in expected else set()
        )
        assert not [address for address in (*PRIVATE, *PRIVATE_V6) if within(blocks, address)], part


def within(blocks: list[tuple[dict[str, Any], Any]], address: str) -> bool:
    one = ip_address(address)
    return any(
        one in ip_network(block["cidr"]) and not any(one in ip_network(hole) for hole in block["except"])
        for block, _ in blocks
        if ip_network(block["cidr"]).version == one.version
    )


def test_metrics_are_read_from_one_namespace_only() -> None:
    found = release(CASE)
    for part in ("gateway", "ingest", "scanner", "transcoder", "publisher"):
        [labels] = [labels for name, _, labels in found.pods() if name == part]
        reading = [
            rule for rule in rules(found, labels, "ingress") if {"port": METRICS, "protocol": "TCP"} in rule["ports"]
        ]
        assert [rule["from"] for rule in reading] == [
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
        ], part
