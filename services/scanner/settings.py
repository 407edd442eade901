"""What the scanner reads from its environment: MEDIA_SCANNER_<FIELD>, secrets from the file in …_FILE."""

from dataclasses import dataclass

from services.common.settings import var


def clamd_address(text: str) -> str | tuple[str, int]:
    """A path, or a host and its port. Raises: ValueError."""
    if text.startswith("/"):
        return text
    host, _, port = text.rpartition(":")
    if not host:
        raise ValueError(text)
    return host, int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field, one variable."""

    listen: str = var(str, "host:port of the RPC server", default="127.0.0.1:7102")
    metrics_listen: str = var(str, "host:port of /metrics, /healthz and /readyz", default="127.0.0.1:7202")
    drain_s: float = var(float, "seconds a stopping process finishes its work in", default=20.0)
    log_level: str = var(str, "DEBUG, INFO, WARNING or ERROR", default="INFO")
    otel_endpoint: str = var(str, "OTLP/HTTP traces go here; empty: off", default="")
    s3_endpoint: str = var(str, "http(s)://host:port of the object store")
    s3_region: str = var(str, "its region", default="us-east-1")
    s3_access_key: str = var(str, "may read the quarantine bucket", secret=True)
    s3_secret_key: str = var(str, "of s3_access_key", secret=True)
    quarantine_bucket: str = var(str, "where ingest puts what nobody has looked at", default="media-quarantine")
    clamd_address: str | tuple[str, int] = var(clamd_address, "path of clamd's unix socket, or host:port")
    max_scans: int = var(int, "objects scanned at once, at most clamd's MaxThreads", default=4)
    signatures_max_age_s: float = var(
        float, "seconds after which signatures are too old to trust; 0: any age", default=0.0
    )
