"""Keys of the API: where they are taken from, when they end, and what of them is stored."""

import hashlib
import hmac

import httpx
import psycopg
import pytest
from psycopg import sql

from deploy.local.ports import HOST
from tests.integration.gateway.conftest import Service, done, refused

NAMES = ("key", "api_key", "token", "access_token", "authorization")
OWN_SCHEMAS = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


@pytest.mark.parametrize("way", ["gateway_http", "edge"])
@pytest.mark.parametrize("name", [pytest.param(name, id=f"S5-query-{name}") for name in NAMES])
def test_a_key_in_a_query_opens_nothing(service: Service, name: str, way: str) -> None:
    url = f"http://{HOST}:{getattr(service.stack.ports, way)}/v1/media"
    query = {name: service.one.key}
    assert refused(httpx.get(url, params=query, timeout=20, trust_env=False)) == (401, "unauthorized")
    signed = {"authorization": f"Bearer {service.one.key}"}
    # Beside a good one it would be in everybody's logs from then on.
    assert httpx.get(url, params=query, headers=signed, timeout=20, trust_env=False).status_code == 401
    assert httpx.get(url, headers=signed, timeout=20, trust_env=False).status_code == 200


@pytest.mark.parametrize("gone", ["revoked"], ids=["S5-revoked"])
def test_a_key_that_was_revoked_opens_nothing(service: Service, gone: str) -> None:
    with service.customer() as customer:
        made = done(customer.http.post("/v1/api-keys", json={"name": gone}))
        signed = {"authorization": f"Bearer {made['key']}"}
        assert customer.http.get("/v1/media", headers=signed).status_code == 200
        assert customer.http.delete(f"/v1/api-keys/{made['apiKey']['id']}").status_code == 204
        assert refused(customer.http.get("/v1/media", headers=signed)) == (401, "unauthorized")
        assert customer.http.get("/v1/media").status_code == 200


@pytest.mark.parametrize("where", ["tables"], ids=["S5-stored"])
def test_nothing_but_a_keyed_hash_of_a_key_is_stored(service: Service, where: str) -> None:
    text = service.one.key
    pepper = service.stack.state.secret("key-pepper", size_bytes=32).encode()
    dump = dumped(service)
    assert hmac.digest(pepper, text.encode(), hashlib.sha256).hex() in dump, where  # so it is a dump of what matters
    secret = text.rsplit("_", 1)[1]
    for kept in (text, secret, secret[:-6], secret.encode().hex(), pepper.decode()):
        assert kept not in dump
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        for word in (text, secret):
            assert hashlib.new(algorithm, word.encode()).hexdigest() not in dump, algorithm


def dumped(service: Service) -> str:
    """Every row of every table of all stages, bytes in hexadecimal."""
    with psycopg.connect(service.stack.postgres.url()) as conn:
        lines = []
        for schema, table in conn.execute(OWN_SCHEMAS).fetchall():
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
            lines += [row for (row,) in conn.execute(query).fetchall()]
    return "\n".join(lines)
