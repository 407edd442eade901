"""The stores for trying out: whoever needs one gets in, with a secret of its own and the rights it has everywhere."""

import ast
import json
import re
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import helm_python
import pytest
import yaml

from deploy.local.nats import find_program, permissions
from deploy.local.s3 import IDENTITIES
from deploy.local.state import State
from services.common import settings
from tests.chart.rendered import CHART, STAGES, Release, environment, release, values
from tests.chart.test_reach import allows, rules
from tests.chart.test_settings import MOUNT, PROGRAMS

POSTGRES, NATS, S3 = ("postgres", 5432), ("nats", 4222), ("s3", 8333)
NEEDED = {
    "gateway": {POSTGRES},
    "ingest": {POSTGRES, NATS, S3},
    "scanner": {S3},
    "transcoder": {POSTGRES, NATS, S3},
    "publisher": {POSTGRES, NATS},
    "envoy": {S3},
    "migrate": {POSTGRES},
    "buckets": {S3},
}


@pytest.fixture
def found() -> Release:
    return release("bundled")


def secret(part: str) -> dict[str, str]:
    """Files of a part."""
    return dict(release("bundled").named("Secret", part)["stringData"])


def users() -> dict[str, dict[str, Any]]:
    """Of the NATS server, as its configuration names them."""
    [listed] = re.findall(r"authorization \{ users: (.*) \}$", secret("nats")["nats.conf"], re.MULTILINE)
    return {user["user"]: user for user in json.loads(listed)}


def test_rights_are_those_of_the_local_stack() -> None:
    kept = json.loads((CHART / "files" / "rights.json").read_text())
    assert kept == json.loads(json.dumps({"nats": permissions(), "s3": IDENTITIES})), "run `make gen`"
    assert {name: user.get("permissions") for name, user in users().items()} == {"admin": None, **kept["nats"]}
    identities = json.loads(secret("s3")["identities.json"])["identities"]
    assert {one["name"]: one["actions"] for one in identities} == kept["s3"]


def test_whoever_needs_a_store_has_what_lets_it_in() -> None:
    passwords = secret("migrate")
    identities = {
        pair["accessKey"]: pair["secretKey"]
        for one in json.loads(secret("s3")["identities.json"])["identities"]
        for pair in one["credentials"]
    }
    for part in (*STAGES, "envoy", "buckets", "migrate", "operator"):
        held = secret(part)
        if "s3_access_key" in held:
            assert identities[held["s3_access_key"]] == held["s3_secret_key"], part
        if "nats_url" in held:
            url = urlsplit(held["nats_url"])
            assert (url.hostname, url.port) == ("lmp-nats.media.svc", 4222)
            assert users()[str(url.username)]["password"] == url.password, part
            assert url.username == part
        if part in STAGES and "database_url" in held:
            url = urlsplit(held["database_url"])
            assert (url.username, url.password) == (f"mediaapi_{part}", passwords[f"{part}_password"])
    assert urlsplit(passwords["database_url"]).password == secret("postgres")["password"]


def test_no_two_share_a_secret() -> None:
    words = secret("bundled")
    assert len(set(words.values())) == len(words) >= 15
    assert all(len(word) >= 40 for word in words.values())
    assert all(len(bytes.fromhex(words[name])) == 32 for name in ("kek", "key_pepper"))


@pytest.mark.parametrize("part", [*STAGES, "migrate", "buckets"])
def test_every_file_a_pod_reads_is_in_its_secret(part: str, found: Release) -> None:
    [spec] = [spec for name, spec, _ in found.pods() if name == part]
    told = environment(spec["containers"][0])
    files = {value.removeprefix(f"{MOUNT}/") for name, value in told.items() if name.endswith("_FILE")}
    assert files <= secret(part).keys()
    mounted = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    assert mounted == [f"lmp-{part}"]


def test_programs_read_the_secrets_as_they_are_made(found: Release, tmp_path: Path) -> None:
    state = State(tmp_path)
    for part in ("gateway", "publisher"):
        told = environment(found.named("Deployment", part)["spec"]["template"]["spec"]["containers"][0])
        for name, value in told.items():
            if name.endswith("_FILE"):
                key = value.removeprefix(f"{MOUNT}/")
                told[name] = str(state.write_secret(f"{part}.{key}", secret(part)[key]))
        conf = settings.load(PROGRAMS[part], f"MEDIA_{part.upper()}", told)
        assert urlsplit(conf.database_url).hostname == "lmp-postgres.media.svc"


def test_each_store_is_reached_by_those_who_need_it_and_reaches_nobody(found: Release) -> None:
    pods = {part: labels for part, _, labels in found.pods()}
    stores = {POSTGRES, NATS, S3}
    reached = {
        source: {
            (store, port)
            for store, port in stores
            if any(allows(rule, "to", pods[store], port) for rule in rules(found, ours, "egress"))
            and any(allows(rule, "from", ours, port) for rule in rules(found, pods[store], "ingress"))
        }
        for source, ours in pods.items()
    }
    assert {source: places for source, places in reached.items() if places} == NEEDED
    for store, _ in stores:
        for rule in rules(found, pods[store], "egress"):
            assert {one["port"] for one in rule["ports"]} == {53}


def test_tables_come_after_the_store_that_holds_them(found: Release) -> None:
    def hook(part: str, case: str = "bundled") -> str:
        return str(release(case).named("Job", part)["metadata"]["annotations"]["helm.sh/hook"])

    assert hook("migrate") == "post-install,pre-upgrade"
    assert hook("buckets") == "post-install,post-upgrade"
    assert hook("migrate", "minimal") == "pre-install,pre-upgrade"
    assert found.named("Secret", "bundled")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_an_upgrade_finds_the_secrets_and_makes_up_those_that_are_new(tmp_path: Path) -> None:
    """There is no cluster to look into here: what would be found is handed over as a value."""
    copied = Path(shutil.copytree(CHART, tmp_path / "chart"))
    template = copied / "templates" / "bundled" / "secrets.yaml"
    looked_up = '(lookup "v1" "Secret" .Release.Namespace $words)'
    assert template.read_text().count(looked_up) == 1
    template.write_text(template.read_text().replace(looked_up, '(dict "data" (.Values.global.found | default dict))'))
    chart = helm_python.Chart.load(str(copied))

    def made(found: dict[str, str]) -> dict[str, dict[str, str]]:
        texts = chart.render({**values("bundled"), "global": {"found": found}}, name="lmp", namespace="media")
        [text] = [text for path, text in texts.items() if path.endswith("bundled/secrets.yaml")]
        return {one["metadata"]["name"]: one["stringData"] for one in yaml.safe_load_all(text) if one}

    first = made({})
    words = {name: b64encode(word.encode()).decode() for name, word in first["lmp-bundled"].items()}
    assert made(words) == first
    del words["nats_operator"]
    later = made(words)
    changed = {name for name in first["lmp-bundled"] if first["lmp-bundled"][name] != later["lmp-bundled"][name]}
    assert changed == {"nats_operator"}
    assert made({}) != first


def test_nats_takes_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text(secret("nats")["nats.conf"].replace("/data", str(tmp_path)))
    subprocess.run([find_program("nats-server"), "-t", "--config", str(config)], check=True, capture_output=True)
    assert "sync_interval: always" in config.read_text()


def test_the_object_store_knows_what_it_is_told(found: Release) -> None:
    [container] = found.named("StatefulSet", "s3")["spec"]["template"]["spec"]["containers"]
    program, *arguments = container["command"]
    assert program == "weed"
    done = subprocess.run([find_program("weed"), "server", "-h"], capture_output=True, text=True, check=False)
    known = set(re.findall(r"^\s+(-[A-Za-z0-9.]+)", done.stdout + done.stderr, re.MULTILINE)) | {"-logtostderr"}
    assert {one.partition("=")[0] for one in arguments if one != "server"} <= known
    # Open to others is what asks for keys; with it comes its port for gRPC, which only the network policy closes.
    assert "-ip.bind=127.0.0.1" in arguments
    assert [one for one in arguments if ".bind=" in one and "127" not in one] == ["-s3.ip.bind=0.0.0.0"]


def test_there_is_none_of_it_unless_it_is_wanted() -> None:
    for case in ("full", "minimal", "open"):
        assert release(case).of_kind("StatefulSet") == release(case).of_kind("Secret") == []


def test_buckets_are_made_by_a_program_that_needs_what_the_image_has() -> None:
    tree = ast.parse((CHART / "files" / "buckets.py").read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"os", "time", "pathlib", "boto3", "botocore"}
