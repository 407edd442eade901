"""R1: a webhook goes to a public https address, whatever way another one is written or named."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from services.common import guarded_http
from services.publisher.adapters.webhooks.http import HttpSender
from services.publisher.domain.webhooks.delivery import Fault, Outcome

PUBLIC = "1.1.1.1"
NAMES = {
    "hooks.example.com": [PUBLIC],
    "two.example.com": [PUBLIC, "2606:4700:4700::1111"],
    "half.example.com": [PUBLIC, "10.0.0.1"],
    "inside.example.com": ["192.168.1.7"],
    "metadata.google.internal": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "nat64.example.com": ["64:ff9b::a9fe:a9fe"],
    "mapped.example.com": ["::ffff:169.254.169.254"],
    "xn--bcher-kva.example": [PUBLIC],
    "nowhere.example.com": [],
}

REFUSED = (
    # Loopback, in every way to write it.
    "https://127.0.0.1/", "https://127.0.0.1:443/", "https://127.255.255.254/", "https://127.1/", "https://127.0.1/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://0x7f.1/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://localhost/",
    "https://0.0.0.0/", "https://0/", "https://①②⑦.⓪.⓪.①/", "https://１２７.0.0.1/", "https://127。0。0。1/",
    # Private, carrier, link-local, unique local, site-local, multicast, reserved.
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/", "https://0xc0a80001/",
    "https://100.64.0.1/", "https://169.254.1.1/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fc00::1]/",
    "https://[fec0::1]/", "https://224.0.0.1/", "https://[ff02::1]/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://192.0.2.1/", "https://198.18.0.1/", "https://[2001:db8::1]/",
    # Where clouds keep their metadata.
    "https://169.254.169.254/latest/meta-data/", "https://2852039166/", "https://0xa9fea9fe/", "https://[fd00:ec2::254]/",
    "https://100.100.100.200/", "https://192.0.0.192/", "https://168.63.129.16/", "https://[64:ff9b::a9fe:a9fe]/",
    "https://metadata.google.internal/",
    # Names of such addresses, alone or beside public ones; names without any.
    "https://inside.example.com/", "https://half.example.com/", "https://nat64.example.com/",
    "https://mapped.example.com/", "https://nowhere.example.com/",
    # Other schemes and ports, user information, fragments, no URL at all.
    "http://hooks.example.com/", "http://hooks.example.com:443/", "https://hooks.example.com:8443/",
    "https://hooks.example.com:22/", "https://hooks.example.com:0/", "ftp://hooks.example.com/", "file:///etc/passwd",
    "gopher://hooks.example.com/", "javascript:alert(1)", "//hooks.example.com/", "hooks.example.com", "/hooks", "https://",
    "https:///hooks", "https://user@hooks.example.com/", "https://user:password@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/", "https://hooks.example.com/#part", "https://hooks.example.com:99999/",
    "https://hooks example.com/", "https://hooks.example.com/\r\nHost: inside", "https://[::1/", "",
)  # fmt: skip

ALLOWED = (
    "https://hooks.example.com/", "https://hooks.example.com", "https://hooks.example.com:443/a?b=c",
    "HTTPS://HOOKS.EXAMPLE.COM/", "https://two.example.com/x", "https://bücher.example/", "https://1.1.1.1/",
    "https://[2606:4700:4700::1111]/",
)  # fmt: skip


async def resolve(host: str, port: int) -> Sequence[str]:
    """Names by the table; numbers as the system reads them, which asks nobody."""
    return NAMES[host.lower()] if host.lower() in NAMES else await guarded_http.system_resolver(host, port)


@pytest.fixture(scope="module")
async def sender() -> AsyncIterator[HttpSender]:
    async with guarded_http.connect(resolve=resolve) as client:
        yield HttpSender(client, resolve=resolve)


def test_the_table_is_as_long_as_it_was_meant_to_be() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 60


@pytest.mark.parametrize("url", REFUSED)
async def test_r1_a_url_that_leads_elsewhere_is_refused(url: str, sender: HttpSender) -> None:
    assert await sender.refusal(url)


@pytest.mark.parametrize("url", ALLOWED)
async def test_r1_a_public_one_is_taken(url: str, sender: HttpSender) -> None:
    assert await sender.refusal(url) is None


@pytest.mark.parametrize("url", [url for url in REFUSED if "#" not in url])  # a fragment is never sent anyway
async def test_r1_what_would_be_refused_is_not_connected_to_either(url: str, sender: HttpSender) -> None:
    """A URL may have been registered before its name pointed elsewhere, or before a rule was there."""
    outcome = await sender.post(url, {}, b"{}", within_s=5)
    assert outcome.status is None
    assert outcome.fault in (Fault.NOT_ALLOWED, Fault.CONNECTION)


async def test_r1_a_name_that_is_bound_anew_after_registration_is_not_connected_to() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with guarded_http.connect(resolve=rebinding) as client:
        sender = HttpSender(client, resolve=rebinding)
        assert await sender.refusal("https://hooks.example.com/") is None
        outcome = await sender.post("https://hooks.example.com/", {}, b"{}", within_s=5)
    assert outcome == Outcome(None, Fault.NOT_ALLOWED)


async def test_a_trusted_origin_is_reached_whatever_it_is_and_its_neighbours_are_not() -> None:
    async with httpx.AsyncClient() as client:
        sender = HttpSender(client, trusted=["http://127.0.0.1:9000"], resolve=resolve)
        assert await sender.refusal("http://127.0.0.1:9000/hooks") is None
        assert await sender.refusal("http://127.0.0.1:9001/hooks")
        assert await sender.refusal("https://127.0.0.1/hooks")
