"""What the sandbox is told at start; environment `MEDIA_SANDBOX_<FIELD>`."""

from dataclasses import dataclass

from services.common.guarded_http import origins
from services.common.settings import var

NOWHERE: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of the sandbox."""

    listen: str = var(str, "host:port", default="127.0.0.1:8600")
    state_dir: str = var(str, "the folder in which received posts and files are kept")
    public_url: str = var(str, "where the publisher and people reach it, e.g. http://127.0.0.1:8600")
    trusted_origins: tuple[str, ...] = var(
        origins, "origins whose media are fetched wherever they lie: the local CDN's", default=NOWHERE
    )
    drain_s: float = var(float, "seconds a stop waits for requests, > 0", default=5.0)
    log_level: str = var(str, "debug, info, warning or error", default="info")
