"""What ingest reads from its environment: MEDIA_INGEST_<FIELD>, secrets from the file in …_FILE."""

from dataclasses import dataclass

from services.common import plans
from services.common.guarded_http import origins
from services.common.settings import var
from services.ingest.app.admitting import UploadLimits
from services.ingest.domain.quotas import Quota

NOWHERE: tuple[str, ...] = ()
DATABASE_URL = var(str, "postgresql://… as role mediaapi_ingest", secret=True)
S3_ENDPOINT = var(str, "http(s)://host:port of the object store")
S3_REGION = var(str, "its region", default="us-east-1")
S3_ACCESS_KEY = var(str, "may read and write both buckets", secret=True)
S3_SECRET_KEY = var(str, "of s3_access_key", secret=True)
QUARANTINE_BUCKET = var(str, "where bytes wait for their verdict", default="media-quarantine")
ACTIVE_BUCKET = var(str, "where clean bytes live", default="media-active")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field, one variable."""

    listen: str = var(str, "host:port of the RPC server", default="127.0.0.1:7101")
    metrics_listen: str = var(str, "host:port of /metrics, /healthz and /readyz", default="127.0.0.1:7201")
    drain_s: float = var(float, "seconds a stopping process finishes its work in", default=20.0)
    log_level: str = var(str, "DEBUG, INFO, WARNING or ERROR", default="INFO")
    otel_endpoint: str = var(str, "OTLP/HTTP traces go here; empty: off", default="")
    database_url: str = DATABASE_URL
    nats_url: str = var(str, "nats://…", secret=True)
    nats_replicas: int = var(int, "servers of NATS that keep a copy of each stream, where streams are made", default=1)
    s3_endpoint: str = S3_ENDPOINT
    s3_region: str = S3_REGION
    s3_access_key: str = S3_ACCESS_KEY
    s3_secret_key: str = S3_SECRET_KEY
    quarantine_bucket: str = QUARANTINE_BUCKET
    active_bucket: str = ACTIVE_BUCKET
    scanner_target: str = var(str, "host:port of the scanner stage")
    import_origins: tuple[str, ...] = var(
        origins,
        "comma-separated origins that imports reach without the address check: for development",
        default=NOWHERE,
    )
    uploads_at_once: int = var(int, "uploads with more than 1 MiB in memory, 24 MiB each at most", default=32)
    uploads_under_way: int = var(int, "uploads taken in at once, those of slow clients too", default=1000)
    scans_at_once: int = var(int, "verdicts asked for at once of uploads here, and of others", default=4)
    backlog_workspace: int = var(int, "failed or overdue scans owed to one workspace before it is refused", default=100)
    backlog_total: int = var(int, "failed or overdue scans owed to all before everyone is refused", default=1000)
    plans_file: str = var(str, "TOML of what plans include; empty: services/common/plans.toml", default="")

    def upload_limits(self) -> UploadLimits:
        """Those of the door. Raises: SettingsError, the plans' file does not say them."""
        return UploadLimits(
            at_once=self.uploads_at_once,
            under_way=self.uploads_under_way,
            backlog_workspace=self.backlog_workspace,
            backlog_total=self.backlog_total,
            quotas=plans.load("quota", Quota.of, self.plans_file),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """What the operators' commands need of them."""

    database_url: str = DATABASE_URL
    s3_endpoint: str = S3_ENDPOINT
    s3_region: str = S3_REGION
    s3_access_key: str = S3_ACCESS_KEY
    s3_secret_key: str = S3_SECRET_KEY
    quarantine_bucket: str = QUARANTINE_BUCKET
    active_bucket: str = ACTIVE_BUCKET
