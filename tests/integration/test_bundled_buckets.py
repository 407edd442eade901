"""The chart's own stores: the program that makes the buckets, with a real store."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.local.s3 import S3
from tests.chart.rendered import CHART, environment, release


def test_buckets_are_made_once(s3: S3, tmp_path: Path) -> None:
    keys = s3.credentials()
    (tmp_path / "s3_access_key").write_text(keys.access_key)
    (tmp_path / "s3_secret_key").write_text(keys.secret_key)
    [container] = release("bundled").named("Job", "buckets")["spec"]["template"]["spec"]["containers"]
    told = environment(container) | {"ENDPOINT": s3.endpoint, "KEYS": str(tmp_path), "BUCKETS": "made-one,made-two"}
    for _ in range(2):
        command = [sys.executable, str(CHART / "files" / "buckets.py")]
        subprocess.run(command, env=dict(os.environ) | told, check=True, timeout=120)
    names = {bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]}
    assert {"made-one", "made-two"} <= names
    for bucket in ("made-one", "made-two"):
        s3.client().delete_bucket(Bucket=bucket)
