"""One metric and one log line for each request."""

import logging

from prometheus_client import CollectorRegistry, Counter, Histogram

from services.gateway.web.health import SELF
from services.gateway.web.http import Exchange

log = logging.getLogger("services.gateway.access")

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Observer:
    """Counts requests by route template, never by path: ids would make a series each."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._requests = Counter("gateway_http_requests_total", "HTTP requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "gateway_http_seconds", "Time to the end of an answer.", labels, buckets=_BUCKETS, registry=registry
        )

    def __call__(self, exchange: Exchange, elapsed_s: float) -> None:
        """Take note of one request that is over."""
        method = exchange.method if exchange.method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE") else "other"
        labels = (method, exchange.route or "none", str(exchange.status))
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(elapsed_s)
        # Envoy asks every second.
        log.log(
            logging.DEBUG if exchange.path == SELF else logging.INFO,
            "request",
            extra={
                "method": exchange.method[:16],
                "route": exchange.route,
                "path": exchange.path[:256],
                "status": exchange.status,
                "code": exchange.code,
                "elapsed_s": round(elapsed_s, 4),
                "taken_bytes": exchange.taken_bytes,
                "sent_bytes": exchange.sent_bytes,
                "request_id": exchange.request_id,
                "workspace_id": exchange.workspace_id,
            },
        )
