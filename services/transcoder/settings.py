"""What the transcoder reads from its environment: MEDIA_TRANSCODER_<FIELD>, secrets from the file in …_FILE."""

from dataclasses import dataclass

from services.common.settings import var


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field, one variable."""

    listen: str = var(str, "host:port of the RPC server", default="127.0.0.1:7104")
    metrics_listen: str = var(str, "host:port of /metrics, /healthz and /readyz", default="127.0.0.1:7204")
    drain_s: float = var(float, "seconds a stopping process finishes its work in", default=20.0)
    log_level: str = var(str, "DEBUG, INFO, WARNING or ERROR", default="INFO")
    otel_endpoint: str = var(str, "OTLP/HTTP traces go here; empty: off", default="")
    database_url: str = var(str, "postgresql://… as role mediaapi_transcoder", secret=True)
    nats_url: str = var(str, "nats://…", secret=True)
    nats_replicas: int = var(int, "servers of NATS that keep a copy of each stream, where streams are made", default=1)
    s3_endpoint: str = var(str, "http(s)://host:port of the object store")
    s3_region: str = var(str, "its region", default="us-east-1")
    s3_access_key: str = var(str, "may read and write the active bucket", secret=True)
    s3_secret_key: str = var(str, "of s3_access_key", secret=True)
    active_bucket: str = var(str, "where clean bytes and what is made of them live", default="media-active")
    cdn_url: str = var(str, "what the public finds the bucket's cdn/ folder under, without a slash at its end")
    scratch_dir: str = var(
        str, "a folder for this process alone, as large as `workers` videos and twice their renditions"
    )
    films_bytes: int = var(
        int, "bytes of memory that videos may take together, by estimate; one always runs", default=1_500_000_000
    )
    segment_s: int = var(
        int,
        "seconds of full HD that one of a long film's segments lasts; films of less than two are encoded at once;"
        " 0: all are",
        default=60,
    )
    workers: int = var(int, "jobs at once, ≥ 1; from 2 on one of them is kept for images", default=2)
