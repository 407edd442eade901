"""What the publisher reads from its environment: MEDIA_PUBLISHER_<FIELD>, secrets from the file in …_FILE."""

from dataclasses import dataclass

from services.common.guarded_http import origins
from services.common.settings import var
from services.publisher.adapters.sealing import parse_keks

NOWHERE: tuple[str, ...] = ()
DATABASE_URL = var(str, "postgresql://… as role mediaapi_publisher", secret=True)
KEK = var(
    parse_keks,
    "keys of 32 bytes in hex or base64, one a line: the first wraps the workspaces' data keys, all open them",
    secret=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field, one variable."""

    listen: str = var(str, "host:port of the RPC server", default="127.0.0.1:7105")
    metrics_listen: str = var(str, "host:port of /metrics, /healthz and /readyz", default="127.0.0.1:7205")
    drain_s: float = var(float, "seconds a stopping process finishes its work in", default=20.0)
    log_level: str = var(str, "DEBUG, INFO, WARNING or ERROR", default="INFO")
    otel_endpoint: str = var(str, "OTLP/HTTP traces go here; empty: off", default="")
    database_url: str = DATABASE_URL
    nats_url: str = var(str, "nats://…", secret=True)
    nats_replicas: int = var(int, "servers of NATS that keep a copy of each stream, where streams are made", default=1)
    ingest_target: str = var(str, "host:port of the ingest stage")
    transcoder_target: str = var(str, "host:port of the transcoder stage")
    kek: tuple[bytes, ...] = KEK
    cdn_url: str = var(str, "where renditions are served, e.g. https://cdn.example.com/cdn")
    sandbox_url: str = var(str, "where test accounts' platforms are played, e.g. http://127.0.0.1:7300")
    trusted_origins: tuple[str, ...] = var(
        origins, "comma-separated origins of self-hosted services reached without the address check", default=NOWHERE
    )
    webhook_origins: tuple[str, ...] = var(
        origins,
        "comma-separated origins that webhooks reach without the address check: for development",
        default=NOWHERE,
    )

    def places(self) -> dict[str, str]:
        """Where the process listens, and where its traces go."""
        return {"listen": self.listen, "metrics_listen": self.metrics_listen, "otel_endpoint": self.otel_endpoint}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """What the operators' commands need of them."""

    database_url: str = DATABASE_URL
    kek: tuple[bytes, ...] = KEK
