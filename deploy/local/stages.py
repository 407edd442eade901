"""The stages as processes, and what each is told: MEDIA_<STAGE>_<FIELD>, secrets in files."""

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.local.clamd import Clamd
from deploy.local.daemon import Daemon, base_environment
from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports, answers
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, QUARANTINE, REGION, S3
from deploy.local.state import REPOSITORY, State

STAGES = ("scanner", "ingest", "transcoder", "publisher", "gateway")
# Those with tables, hence a role and migrations.
WITH_TABLES = ("gateway", "ingest", "transcoder", "publisher")
DRAIN_S = 5
LEAVE_S = 3  # Envoy asks every second


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Source, and the interpreter that runs it."""

    root: Path = REPOSITORY
    python: str = sys.executable
    # The names of the settings that each stage knows, where those may be others than ours.
    known: Mapping[str, Collection[str]] | None = None

    def knows(self, stage: str, setting: str) -> bool:
        """Whether that stage may be told this."""
        return self.known is None or setting in self.known[stage]


OURS = Tree()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What stages have to find."""

    state: State
    ports: Ports
    postgres: Postgres
    nats: Nats
    s3: S3
    clamd: Clamd
    # Origins the publisher reaches although they are on this machine: self-hosted services in tests.
    trusted_origins: tuple[str, ...] = ()
    webhook_origins: tuple[str, ...] = ()
    import_origins: tuple[str, ...] = ()
    # Ports of all replicas, if there is more than one of each stage.
    replicas: Sequence[Ports] = ()
    replica: int = 0  # whose wiring this is
    tree: Tree = OURS  # what runs as stages
    # Settings of stages beside those all of them need here, by stage, or one replica of it (`ingest-1`), and name.
    tuned: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def public_url(self) -> str:
        """Where clients find everything."""
        return f"http://{HOST}:{self.ports.edge}"

    @property
    def sandbox_url(self) -> str:
        """Where the platforms are played."""
        return f"http://{HOST}:{self.ports.sandbox}"

    def database_url(self, stage: str) -> str:
        """With the login role of that stage."""
        return self.postgres.url(user=f"mediaapi_{stage}", password=self.state.secret(f"postgres-{stage}"))


@dataclass(frozen=True, slots=True)
class Config:
    """What one stage is told."""

    plain: Mapping[str, object] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict)


class Stage(Daemon):
    """One `python -m services.<name>`."""

    # Its work is handed back after DRAIN_S; on a machine whose encoders take all there is, that is not at once.
    grace_s = DRAIN_S + 55.0

    def __init__(self, stage: str, wiring: Wiring, replica: int = 0) -> None:
        """The first replica has the stage's name, all others a number too."""
        super().__init__(wiring.state)
        self.name = _numbered(stage, replica)
        self._stage = stage
        self._wiring = replace(wiring, ports=wiring.replicas[replica], replica=replica) if replica else wiring

    def argv(self) -> list[str]:
        return [self._wiring.tree.python, "-m", f"services.{self._stage}"]

    def cwd(self) -> Path:
        return self._wiring.tree.root

    def env(self) -> Mapping[str, str]:
        return base_environment() | {"PYTHONUNBUFFERED": "1"} | environment(self._stage, self._wiring)

    def answers(self) -> bool:
        """Ready; the scanner without clamd can at most be alive, and then refuses everything."""
        ports = self._wiring.ports
        if self._stage == "sandbox":
            return answers(ports.sandbox)
        probe = "healthz" if self._stage == "scanner" and not self._wiring.clamd.answers() else "readyz"
        return http_status(f"http://{HOST}:{getattr(ports, f'{self._stage}_metrics')}/{probe}") == 200


def environment(stage: str, wiring: Wiring) -> dict[str, str]:
    """The settings of one stage; its secrets are written to files and named by …_FILE."""
    config = _configs(wiring)[stage]
    prefix = f"MEDIA_{stage.upper()}_"
    tuned = wiring.tuned.get(stage, {}), wiring.tuned.get(_numbered(stage, wiring.replica), {})
    plain = {**config.plain, **tuned[0], **tuned[1]}
    knows = wiring.tree.knows
    result = {prefix + name.upper(): str(value) for name, value in plain.items() if knows(stage, name)}
    for name, value in config.secret.items():
        if not knows(stage, name):
            continue
        path = wiring.state.write_secret(f"{stage}.{name}", value)
        result.setdefault(f"{prefix}{name.upper()}_FILE", str(path))
    return result


def _configs(wiring: Wiring) -> dict[str, Config]:
    ports, state = wiring.ports, wiring.state
    target = {name: _target(wiring, name) for name in STAGES}
    cdn_url = f"{wiring.public_url}/cdn"
    return {
        "scanner": Config(
            _common(ports, "scanner")
            | _buckets("quarantine_bucket")
            | _endpoint(wiring)
            | {"clamd_address": wiring.clamd.socket},
            _keys(wiring, "scanner"),
        ),
        "ingest": Config(
            _common(ports, "ingest")
            | _endpoint(wiring)
            | _buckets("quarantine_bucket", "active_bucket")
            | {"scanner_target": target["scanner"], "import_origins": ",".join(wiring.import_origins)},
            _database(wiring, "ingest") | _bus(wiring, "ingest") | _keys(wiring, "ingest"),
        ),
        "transcoder": Config(
            _common(ports, "transcoder")
            | _endpoint(wiring)
            | _buckets("active_bucket")
            | {
                "cdn_url": cdn_url,
                "scratch_dir": state.folder(_numbered("transcoder", wiring.replica)),
                "workers": os.cpu_count() or 1,
            },
            _database(wiring, "transcoder") | _bus(wiring, "transcoder") | _keys(wiring, "transcoder"),
        ),
        "publisher": Config(
            _common(ports, "publisher")
            | {
                "ingest_target": target["ingest"],
                "transcoder_target": target["transcoder"],
                "cdn_url": cdn_url,
                "sandbox_url": wiring.sandbox_url,
                "trusted_origins": ",".join(wiring.trusted_origins),
                "webhook_origins": ",".join((*wiring.webhook_origins, os.environ.get("LMP_WEBHOOK_ORIGINS", ""))),
            },
            _database(wiring, "publisher") | _bus(wiring, "publisher") | {"kek": state.secret("kek", size_bytes=32)},
        ),
        "gateway": Config(
            _common(ports, "gateway")
            | {"http_listen": f"{HOST}:{ports.gateway_http}", "public_url": wiring.public_url}
            | {"leave_s": LEAVE_S if wiring.replicas else 0}
            | {f"{name}_target": target[name] for name in STAGES if name != "gateway"},
            _database(wiring, "gateway") | {"key_pepper": state.secret("key-pepper", size_bytes=32)},
        ),
        "sandbox": Config(
            {
                "listen": f"{HOST}:{ports.sandbox}",
                "state_dir": state.folder("sandbox"),
                "public_url": wiring.sandbox_url,
                "trusted_origins": cdn_url,
            }
        ),
    }


def _numbered(stage: str, replica: int) -> str:
    return f"{stage}-{replica}" if replica else stage


def _target(wiring: Wiring, stage: str) -> str:
    each = [f"{HOST}:{getattr(ports, stage)}" for ports in wiring.replicas or (wiring.ports,)]
    return each[0] if len(each) == 1 else "ipv4:" + ",".join(each)


def _common(ports: Ports, stage: str) -> dict[str, object]:
    return {
        "listen": f"{HOST}:{getattr(ports, stage)}",
        "metrics_listen": f"{HOST}:{getattr(ports, f'{stage}_metrics')}",
        "drain_s": DRAIN_S,
        "log_level": os.environ.get("LMP_LOG_LEVEL", "INFO"),
        "otel_endpoint": os.environ.get("LMP_OTEL_ENDPOINT", ""),
    }


def _endpoint(wiring: Wiring) -> dict[str, object]:
    return {"s3_endpoint": wiring.s3.endpoint, "s3_region": REGION}


def _buckets(*names: str) -> dict[str, object]:
    both: dict[str, object] = {"quarantine_bucket": QUARANTINE, "active_bucket": ACTIVE}
    return {name: both[name] for name in names}


def _keys(wiring: Wiring, stage: str) -> dict[str, str]:
    pair = wiring.s3.credentials(stage)
    return {"s3_access_key": pair.access_key, "s3_secret_key": pair.secret_key}


def _database(wiring: Wiring, stage: str) -> dict[str, str]:
    return {"database_url": wiring.database_url(stage)}


def _bus(wiring: Wiring, stage: str) -> dict[str, str]:
    return {"nats_url": wiring.nats.url(stage)}
