"""The gateway's parts, put together once: for the process itself and for tests on a real database."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
from prometheus_client import REGISTRY, CollectorRegistry

from services.common import clock, ids, plans
from services.common.db import Database
from services.gateway.adapters.buckets import PostgresBuckets
from services.gateway.adapters.postgres import PostgresKeys, PostgresReplays
from services.gateway.app import Authentication, KeyRing
from services.gateway.domain import rates
from services.gateway.domain.keys import SECRET_BYTES
from services.gateway.domain.pace import STANDARD, Pace
from services.gateway.idempotency import Idempotency
from services.gateway.limiting import Limiter
from services.gateway.services import PUBLIC, route_table
from services.gateway.transcode.calls import Upstreams
from services.gateway.uploads.api import UploadApi
from services.gateway.uploads.sessions import Sessions
from services.gateway.web.answers import Answers
from services.gateway.web.api import TranscodingApi
from services.gateway.web.docs import Docs
from services.gateway.web.front import Front
from services.gateway.web.health import Health
from services.gateway.web.observe import Observer


def key_ring(database: Database, pepper: str) -> tuple[Authentication, KeyRing]:
    """Who is let in, and who is given a key."""
    keys = PostgresKeys(database)
    authentication = Authentication(keys, pepper=pepper, now=clock.utc_now, monotonic=time.monotonic)
    ring = KeyRing(
        keys,
        authentication,
        pepper=pepper,
        known_scopes=route_table().scopes,
        now=clock.utc_now,
        new_id=lambda: ids.new("key"),
        new_secret=lambda: secrets.token_bytes(SECRET_BYTES),
    )
    return authentication, ring


@dataclass(frozen=True, slots=True)
class Gateway:
    """The public HTTP application, and what the gRPC server and the chores need of it."""

    http: Front
    ring: KeyRing
    replays: PostgresReplays
    buckets: PostgresBuckets

    @classmethod
    def assemble(
        cls,
        database: Database,
        channels: Mapping[str, grpc.aio.Channel],
        *,
        pepper: str,
        public_url: str,
        plans_file: str = "",
        pace: Pace = STANDARD,
        takes_calls: Callable[[], bool] = lambda: True,
        registry: CollectorRegistry = REGISTRY,
    ) -> "Gateway":
        """Wires them. `channels`: one for each stage by name, the gateway's own RPCs among them."""
        table, public_url = route_table(), public_url.rstrip("/")
        replays, buckets = PostgresReplays(database), PostgresBuckets(database)
        authentication, ring = key_ring(database, pepper)
        upstreams = Upstreams({service.full_name: channels[stage] for stage, service in PUBLIC.items()})
        answers = Answers(table, public_url)
        transcoding = TranscodingApi(
            table,
            authentication=authentication,
            limiter=Limiter(buckets, plans.load("rates", rates.of_plan, plans_file), now=clock.utc_now),
            upstreams=upstreams,
            idempotency=Idempotency(replays, new_token=lambda: ids.new("tok")),
            answers=answers,
        )
        api = UploadApi(transcoding, table, Sessions(table, upstreams), answers)
        pages = {**Health(channels, takes_calls).pages(), **Docs(table, public_url).pages()}
        http = Front(api, pages=pages, new_request_id=lambda: ids.new("req"), observe=Observer(registry), pace=pace)
        return cls(http, ring, replays, buckets)
