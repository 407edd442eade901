"""gateway: HTTP in, RPC out, and the keys of who may.   python -m services.gateway"""

import os
import time

import uvloop
from prometheus_client import REGISTRY

from mediaapi.v1 import gateway_service_pb2_grpc
from services.common import clock, db, ids, rpc, settings, telemetry
from services.common.runtime import Runtime
from services.gateway import openapi
from services.gateway.adapters.postgres import PostgresKeys, PostgresReplays
from services.gateway.app import Authentication, KeyRing
from services.gateway.docs import Docs
from services.gateway.domain.keys import SECRET_BYTES
from services.gateway.idempotency import Idempotency
from services.gateway.rpc import KeyRpc
from services.gateway.services import SERVICES, route_table
from services.gateway.settings import Settings
from services.gateway.transcode.calls import Upstreams
from services.gateway.web.api import TranscodingApi
from services.gateway.web.front import Front
from services.gateway.web.health import Health
from services.gateway.web.observe import Observer
from services.gateway.web.server import serving


async def main() -> None:
    """Wire and serve until told to stop."""
    conf = settings.load(Settings, "media_gateway")
