"""Every kind of address an attacker would like us to reach is refused; ordinary public ones are not."""

import pytest

from services.common.addresses import refusal

REFUSED = {
    "loopback": "127.0.0.1",
    "loopback, last": "127.255.255.254",
    "unspecified": "0.0.0.0",  # noqa: S104
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "private 172.16, first": "172.16.0.0",
    "private 172.31, last": "172.31.255.255",
    "private 192.168": "192.168.1.1",
    "carrier NAT": "100.64.0.1",
    "carrier NAT, last": "100.127.255.255",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of AWS, GCP, Azure": "169.254.169.254",
    "metadata of ECS tasks": "169.254.170.2",
    "link-local": "169.254.0.1",
    "wire server of Azure": "168.63.129.16",
    "metadata of Oracle": "192.0.0.192",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.7",
    "documentation 3": "203.0.113.9",
    "AS112": "192.31.196.1",
    "AMT": "192.52.193.1",
    "6to4 relay": "192.88.99.1",
    "benchmarking": "198.19.255.255",
    "multicast": "224.0.0.1",
    "multicast, last": "239.255.255.255",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v4-compatible loopback": "::127.0.0.1",
    "v4-mapped loopback": "::ffff:127.0.0.1",
    "v4-mapped public": "::ffff:8.8.8.8",
    "v4-translated loopback": "::ffff:0:127.0.0.1",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "local NAT64": "64:ff9b:1::a00:1",
    "discard": "100::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "v6 benchmarking": "2001:2::1",
    "ORCHID": "2001:20::1",
    "v6 documentation": "2001:db8::1",
    "v6 documentation, new": "3fff::1",
    "6to4 of loopback": "2002:7f00:1::",
    "6to4 of metadata": "2002:a9fe:a9fe::1",
    "segment routing": "5f00::1",
    "unique local": "fc00::1",
    "metadata of AWS over v6": "fd00:ec2::254",
    "v6 link-local": "fe80::1",
    "v6 link-local with a zone": "fe80::1%eth0",
    "public with a zone": "2606:4700::1111%1",
    "site-local": "fec0::1",
    "v6 multicast": "ff02::1",
    "a name": "localhost",
    "an integer": "2130706433",
    "octal": "0177.0.0.1",
    "short": "127.1",
    "nothing": "",
}  # fmt: skip

ALLOWED = (
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "168.63.129.15", "172.15.255.255", "172.32.0.1", "192.0.1.1",
    "198.17.255.255", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_is_allowed(address: str) -> None:
    assert refusal(address) is None
