"""What the gateway is told at start; environment `MEDIA_GATEWAY_<FIELD>`, secrets by `…_FILE`."""

from dataclasses import dataclass

from services.common.settings import var
from services.gateway.domain.pace import STANDARD, Pace

DATABASE_URL = var(str, "postgresql://… of role mediaapi_gateway", secret=True)
KEY_PEPPER = var(str, "the key of the hash API keys are stored under, ≥ 32 characters", secret=True)
INGEST_TARGET = var(str, "host:port of ingest's gRPC")
PUBLISHER_TARGET = var(str, "host:port of publisher's gRPC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the gateway."""

    http_listen: str = var(str, "host:port of the public HTTP API, behind Envoy", default="127.0.0.1:8000")
    listen: str = var(str, "host:port of the gRPC server", default="127.0.0.1:7000")
    metrics_listen: str = var(str, "host:port of /metrics, /healthz and /readyz", default="127.0.0.1:9000")
    drain_s: float = var(float, "seconds a stop waits for requests, > 0", default=20.0)
    leave_s: float = var(float, "seconds a stopping process goes on taking requests, so that Envoy learns", default=0.0)
    log_level: str = var(str, "debug, info, warning or error", default="info")
    otel_endpoint: str = var(str, "OTLP/HTTP endpoint for traces; empty: none", default="")
    database_url: str = DATABASE_URL
    key_pepper: str = KEY_PEPPER
    ingest_target: str = INGEST_TARGET
    scanner_target: str = var(str, "host:port of scanner's gRPC")
    transcoder_target: str = var(str, "host:port of transcoder's gRPC")
    publisher_target: str = PUBLISHER_TARGET
    public_url: str = var(str, "where clients reach the API, e.g. https://api.example.com")
    plans_file: str = var(str, "TOML of what plans include; empty: services/common/plans.toml", default="")
    gap_s: float = var(float, "seconds a client may send nothing of a body", default=STANDARD.gap_s)
    pace_window_s: float = var(float, "seconds a client's pace is taken over", default=STANDARD.window_s)
    pace_bytes_per_s: int = var(int, "the slowest pace a body may come at", default=STANDARD.bytes_per_s)

    def pace(self) -> Pace:
        """How slow a client may be."""
        return Pace(gap_s=self.gap_s, window_s=self.pace_window_s, bytes_per_s=self.pace_bytes_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """What the operators' commands on workspaces and keys need of them."""

    database_url: str = DATABASE_URL
    key_pepper: str = KEY_PEPPER


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """What the operators' commands that other stages answer need of them."""

    database_url: str = DATABASE_URL
    ingest_target: str = INGEST_TARGET
    publisher_target: str = PUBLISHER_TARGET
