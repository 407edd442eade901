"""Which IP addresses may be connected to on behalf of a caller. Pure; one table.

`ipaddress.is_global` is not used: it calls NAT64 and 6to4 forms of loopback global, and other forms vary by Python
version.
Sources: IANA IPv4 and IPv6 special-purpose address registries; Azure's documentation of 168.63.129.16.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

DENIED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier NAT; also Alibaba's metadata, 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's wire server, on an otherwise public network
        "169.254.0.0/16",  # link-local; metadata of AWS, GCP, Azure
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata, 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# Everything outside is loopback, mapped, NAT64, unique-local, link-local, site-local, multicast or unassigned.
GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
DENIED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def refusal(address: str) -> str | None:
    """Why `address` (a numeric IP address, as getaddrinfo gives it) must not be connected to; None if it may."""
    try:
        ip = ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(ip, IPv4Address):
        return _within(ip, DENIED_V4)
    if ip.scope_id is not None:
        return "has a zone"
    if ip not in GLOBAL_UNICAST_V6:
        return f"outside {GLOBAL_UNICAST_V6}"
    return _within(ip, DENIED_V6)


def _within(ip: IPv4Address | IPv6Address, networks: tuple[IPv4Network, ...] | tuple[IPv6Network, ...]) -> str | None:
    return next((f"in {network}" for network in networks if ip in network), None)
