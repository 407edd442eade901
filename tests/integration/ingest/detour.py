"""The guarded client with real sockets where the internet would be: what it connects to leads to a server here."""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.common import guarded_http
from services.common.guarded_http import GuardedBackend, GuardedTransport
from services.ingest.adapters.remote import FETCH_LIMIT_BYTES


class Detour(httpcore.AsyncNetworkBackend):
    """Takes each address to a port of this machine: the one named for it, else `otherwise`."""

    def __init__(self, ports: Mapping[str, int], otherwise: int) -> None:
        self._ports = ports
        self._otherwise = otherwise
        self._inner = httpcore.AnyIOBackend()
        self.addresses: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.addresses.append((host, port))
        return await self._inner.connect_tcp("127.0.0.1", self._ports.get(host, self._otherwise), timeout)


@asynccontextmanager
async def guarded(
    detour: Detour, resolve: guarded_http.Resolver, trust: ssl.SSLContext | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The product's client with another network, another resolver and, if given, other certificates to trust."""
    transport = GuardedTransport(frozenset(), FETCH_LIMIT_BYTES, resolve)
    transport._pool._network_backend = GuardedBackend(frozenset(), resolve, detour)
    if trust is not None:
        transport._pool._ssl_context = trust
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        yield client


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a certificate for `name`, and that of a client which trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + made.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=made.public_bytes(Encoding.PEM).decode())
