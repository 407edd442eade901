"""What a pod is told is what its program reads: nothing is missing, and nothing is unknown to it."""

import dataclasses
import os
import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import Session
from psycopg import pq

from deploy.local.clamd import CONFIG as CLAMD_CONFIG
from deploy.local.envoy import find_envoy
from deploy.local.processes import output_of
from deploy.local.state import REPOSITORY
from services.common import plans, settings
from services.gateway.settings import Settings as Gateway
from services.ingest.domain.quotas import Quota
from services.ingest.settings import Settings as Ingest
from services.publisher.settings import Settings as Publisher
from services.sandbox.settings import Settings as Sandbox
from services.scanner.settings import Settings as Scanner
from services.transcoder.settings import Settings as Transcoder
from tests.chart.rendered import CASES, CHART, STAGES, Release, Values, chart, environment, release, rendered, values
from tests.integration.ingest.detour import certified

PROGRAMS: dict[str, type[Any]] = {
    "gateway": Gateway,
    "ingest": Ingest,
    "scanner": Scanner,
    "transcoder": Transcoder,
    "publisher": Publisher,
    "sandbox": Sandbox,
}
MOUNT = "/run/secrets/letmepost"


def loaded(case: str | Values, part: str, folder: Path) -> Any:
    """The settings of a part as its program would read them in the pod, with secrets of our own."""
    found = release(case) if isinstance(case, str) else rendered(case)
    [container] = found.named("Deployment", part)["spec"]["template"]["spec"]["containers"]
    told = environment(container)
    for name, value in told.items():
        if Path(value).is_relative_to(MOUNT):
            path = folder / Path(value).relative_to(MOUNT)
            path.write_text("ab" * 32)
            told[name] = str(path)
    return settings.load(PROGRAMS[part], f"MEDIA_{part.upper()}", told)


@pytest.mark.parametrize("part", PROGRAMS)
@pytest.mark.parametrize("case", CASES)
def test_every_setting_is_told_and_known(case: str, part: str, tmp_path: Path) -> None:
    found = loaded(case, part, tmp_path)
    assert {field.name for field in dataclasses.fields(found)} >= {"listen", "drain_s"}


@pytest.mark.parametrize("part", STAGES)
def test_whatever_has_a_default_may_be_told_otherwise(part: str) -> None:
    wanted = {
        field.name: str(field.default) for field in dataclasses.fields(PROGRAMS[part]) if not field.metadata["required"]
    }
    found = values("minimal")
    found.setdefault("stages", {}).setdefault(part, {})["env"] = wanted
    [container] = rendered(found).named("Deployment", part)["spec"]["template"]["spec"]["containers"]
    assert wanted.keys() <= {name.removeprefix(f"MEDIA_{part.upper()}_").lower() for name in environment(container)}


def test_whatever_is_written_of_a_setting_is_of_one_there_is() -> None:
    known = {
        f"MEDIA_{part.upper()}_{field.name.upper()}{'_FILE' if field.metadata['secret'] else ''}"
        for part, program in PROGRAMS.items()
        for field in dataclasses.fields(program)
    }
    written = re.compile(rf"MEDIA_(?:{'|'.join(part.upper() for part in PROGRAMS)})_[A-Z0-9_]+")
    pages = subprocess.run(
        ["git", "ls-files", "*.md", "deploy", "docker-compose.yml"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    named = {
        (page, name)
        for page in pages
        if page.endswith((".md", ".yml", ".yaml", ".tpl", ".txt", ".sh"))
        for name in written.findall((REPOSITORY / page).read_text())
    }
    # Of several that begin alike, the beginning.
    known |= {name for _, name in named if name.endswith("_") and any(one.startswith(name) for one in known)}
    assert {(page, name) for page, name in named if name not in known} == set()
    assert len(named) > 50


@pytest.mark.parametrize("part", STAGES)
def test_probes_ask_where_the_program_listens(part: str, tmp_path: Path) -> None:
    found = loaded("full", part, tmp_path)
    [container] = release("full").named("Deployment", part)["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert found.listen == f"0.0.0.0:{ports['grpc']}"
    assert found.metrics_listen == f"0.0.0.0:{ports['metrics']}"
    assert container["readinessProbe"]["grpc"]["port"] == container["startupProbe"]["grpc"]["port"] == ports["grpc"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}


def test_calls_go_to_every_pod_of_the_stage_that_is_called(tmp_path: Path) -> None:
    gateway = loaded("minimal", "gateway", tmp_path)
    for name in ("ingest", "scanner", "transcoder", "publisher"):
        service = release("minimal").named("Service", name)
        # Without an address of its own, its name stands for all of its pods.
        assert service["spec"]["clusterIP"] == "None"
        [port] = [one["port"] for one in service["spec"]["ports"] if one["name"] == "grpc"]
        assert getattr(gateway, f"{name}_target") == f"dns:///lmp-{name}.media.svc:{port}"


def test_what_an_operator_adds_arrives(tmp_path: Path) -> None:
    ingest = loaded("full", "ingest", tmp_path)
    assert (ingest.uploads_at_once, ingest.log_level) == (64, "WARNING")
    assert ingest.s3_endpoint == "http://minio.minio.svc:9000"
    assert loaded("minimal", "ingest", tmp_path).s3_endpoint == "https://s3.eu-central-1.amazonaws.com:443"
    transcoder = loaded("full", "transcoder", tmp_path)
    [container] = release("full").named("Deployment", "transcoder")["spec"]["template"]["spec"]["containers"]
    assert transcoder.workers == 4
    assert {"name": "scratch", "mountPath": transcoder.scratch_dir} in container["volumeMounts"]
    assert container["resources"]["limits"]["ephemeral-storage"] == "16Gi"


def test_plans_of_an_operator_are_those_its_stages_read(tmp_path: Path) -> None:
    shipped = (REPOSITORY / "services" / "common" / "plans.toml").read_text()
    wanted = values("minimal") | {"plans": shipped.replace("media = 10_000,", "media = 7,")}
    found = rendered(wanted)
    for part in ("gateway", "ingest"):
        spec = found.named("Deployment", part)["spec"]["template"]["spec"]
        [mount] = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "plans"]
        [volume] = [one for one in spec["volumes"] if one["name"] == "plans"]
        files = found.named("ConfigMap", volume["configMap"]["name"].removeprefix("lmp-"))["data"]
        told = Path(loaded(wanted, part, tmp_path).plans_file)
        assert str(told.parent) == mount["mountPath"]
        (tmp_path / told.name).write_text(files[told.name])
    assert plans.load("quota", Quota.of, str(tmp_path / "plans.toml")).of("free").media == 7
    # Told anew, they make new pods of those alone.
    marks = {part: mark(found, part) != mark(release("minimal"), part) for part in STAGES}
    assert {part for part, changed in marks.items() if changed} == {"gateway", "ingest"}


def mark(found: Release, part: str) -> str:
    """What a pod's template says of its settings."""
    template = found.named("Deployment", part)["spec"]["template"]
    return str(template["metadata"]["annotations"]["letmepost.dev/settings"])


def test_streams_are_kept_as_often_as_there_are_servers(tmp_path: Path) -> None:
    for part in ("ingest", "transcoder", "publisher"):
        assert loaded("minimal", part, tmp_path).nats_replicas == 3
        assert loaded("bundled", part, tmp_path).nats_replicas == 1


def test_authorities_of_an_operator_are_where_each_library_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = values("minimal")
    wanted["stores"] |= {"authorities": "ours"}
    found = rendered(wanted)
    for part in (*STAGES, "migrate", "envoy"):
        [spec] = [spec for name, spec, _ in found.pods() if name == part]
        assert {"name": "authorities", "configMap": {"name": "ours"}} in spec["volumes"]
        mount = {"name": "authorities", "mountPath": "/etc/authorities", "readOnly": True}
        [container] = [one for one in spec["containers"] if one["name"] == part]
        assert mount in container["volumeMounts"]
        if part == "envoy":
            continue
        for name in ("AWS_CA_BUNDLE", "PGSSLROOTCERT", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, environment(container)[name])
        place = "/etc/authorities/ca.crt"
        assert Session().get_config_variable("ca_bundle") == place
        # Python's own, which NATS' client asks, and OpenSSL's name for it.
        assert environment(container)[ssl.get_default_verify_paths().openssl_cafile_env] == place
        [root] = [one for one in pq.Conninfo.get_defaults() if one.keyword == b"sslrootcert"]
        assert root.val == place.encode()
    config = yaml.safe_load(found.named("ConfigMap", "envoy")["data"]["envoy.yaml"])
    [bucket] = [one for one in config["static_resources"]["clusters"] if one["name"] == "bucket"]
    checked = bucket["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
    assert checked["trusted_ca"] == {"filename": place}
    assert not [
        volume
        for _, spec, _ in release("minimal").pods()
        for volume in spec.get("volumes", ())
        if volume["name"] == "authorities"
    ]


def test_secrets_are_files_and_never_words(tmp_path: Path) -> None:
    for part, program in PROGRAMS.items():
        secrets = {field.name for field in dataclasses.fields(program) if field.metadata["secret"]}
        template = release("minimal").named("Deployment", part)["spec"]["template"]
        [container] = template["spec"]["containers"]
        told = environment(container)
        assert {f"MEDIA_{part.upper()}_{name.upper()}_FILE" for name in secrets} == {
            name for name in told if name.endswith("_FILE")
        }
        mounted = [volume["secret"] for volume in template["spec"]["volumes"] if "secret" in volume]
        assert mounted == ([{"secretName": f"lmp-{part}", "defaultMode": 0o440}] if secrets else [])


def test_external_secrets_hold_what_the_files_need() -> None:
    for part in (*STAGES, "migrate"):
        wanted = {
            Path(value).name
            for name, spec, _ in release("full").pods()
            if name == part
            for key, value in environment(spec["containers"][0]).items()
            if key.endswith("_FILE")
        }
        external = release("full").named("ExternalSecret", part)["spec"]
        assert {row["secretKey"] for row in external["data"]} == wanted
        assert external["target"] == {"name": f"lmp-{part}"}
        # https://external-secrets.io/latest/api/externalsecret/
        assert external.keys() == {"refreshInterval", "secretStoreRef", "target", "data"}
        assert external["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault"}
        assert all(row.keys() == {"secretKey", "remoteRef"} for row in external["data"])
        assert all(row["remoteRef"].keys() == {"key", "property"} for row in external["data"])
    assert release("minimal").of_kind("ExternalSecret") == []


def test_a_gateway_that_leaves_tells_envoy_in_time(tmp_path: Path) -> None:
    """Envoy keeps a pod that its name no longer stands for until the pod says that it leaves."""
    config = yaml.safe_load(release("minimal").named("ConfigMap", "envoy")["data"]["envoy.yaml"])
    [gateway] = [one for one in config["static_resources"]["clusters"] if one["name"] == "gateway"]
    [asked] = gateway["health_checks"]
    seconds = [float(asked[name].removesuffix("s")) for name in ("interval", "timeout")]
    leave_s = loaded("minimal", "gateway", tmp_path).leave_s
    assert leave_s >= asked["unhealthy_threshold"] * seconds[0] + seconds[1]


@pytest.mark.parametrize("part", ["envoy", "json-port"])
def test_an_envoy_that_is_to_go_is_told_before_it_has_to(part: str) -> None:
    """It closes whatever there is at once when it ends: tests/integration/edge/test_leaving_of_envoy.py."""
    spec = release("full").named("Deployment", part)["spec"]["template"]["spec"]
    containers = {one["name"]: one for one in spec["containers"]}
    assert containers.keys() == {part, "leave"}
    told = chart().values
    assert containers[part]["lifecycle"]["preStop"]["sleep"]["seconds"] == told["leave_s"] + told["drain_s"]
    config = yaml.safe_load(release("full").named("ConfigMap", part)["data"]["envoy.yaml"])
    port = config["admin"]["address"]["socket_address"]["port_value"]
    assert environment(containers["leave"]) == {"ENVOY_ADMIN_PORT": str(port)}
    hook = (CHART / "files" / "leave.py").read_text()
    assert containers["leave"]["lifecycle"] == {"preStop": {"exec": {"command": ["python", "-c", hook]}}}


def test_films_take_half_of_the_memory_there_is(tmp_path: Path) -> None:
    assert loaded("full", "transcoder", tmp_path).films_bytes == 3 * 1024**3 // 2
    assert loaded("open", "transcoder", tmp_path).films_bytes == 900_000_000


def test_the_tables_of_every_stage_that_has_some_are_migrated() -> None:
    [container] = release("minimal").named("Job", "migrate")["spec"]["template"]["spec"]["containers"]
    with_tables = {path.parent.name for path in Path("services").glob("*/migrations")}
    assert set(container["args"][3:]) == with_tables
    assert container["args"][:3] == ["python", "-m", "services.common.migrate"]


@pytest.mark.parametrize("case", CASES)
def test_envoy_takes_its_configuration(case: str, tmp_path: Path) -> None:
    text = release(case).named("ConfigMap", "envoy")["data"]["envoy.yaml"]
    assert "${" not in text.split("static_resources")[1]
    certified("media.example.org", tmp_path)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes((tmp_path / "media.example.org.pem").read_bytes())
    here = (
        text.replace("/tls/", f"{tmp_path}/")
        .replace("path: /tls", f"path: {tmp_path}")
        .replace("/etc/ssl/certs/ca-certificates.crt", f"{tmp_path}/tls.crt")
    )
    config = tmp_path / "envoy.yaml"
    config.write_text(here)
    env = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    output_of([find_envoy(), "--mode", "validate", "--config-path", str(config)], env=env)


def test_tls_is_where_it_was_asked_for() -> None:
    def transports(case: str) -> tuple[str, str]:
        config = yaml.safe_load(release(case).named("ConfigMap", "envoy")["data"]["envoy.yaml"])["static_resources"]
        [bucket] = [one for one in config["clusters"] if one["name"] == "bucket"]
        return config["listeners"][0]["filter_chains"][0]["transport_socket"]["name"], bucket["transport_socket"][
            "name"
        ]

    plain, tls = "envoy.transport_sockets.raw_buffer", "envoy.transport_sockets.tls"
    assert {case: transports(case) for case in CASES} == {
        "bundled": (plain, plain),
        "full": (tls, plain),
        "minimal": (plain, tls),
        "open": (plain, plain),
    }


def test_envoy_speaks_to_the_bucket_and_the_gateway_of_this_release() -> None:
    config = yaml.safe_load(release("minimal").named("ConfigMap", "envoy")["data"]["envoy.yaml"])
    clusters = {one["name"]: one for one in config["static_resources"]["clusters"]}

    def address(name: str) -> tuple[str, int]:
        [place] = clusters[name]["load_assignment"]["endpoints"][0]["lb_endpoints"]
        socket = place["endpoint"]["address"]["socket_address"]
        return socket["address"], socket["port_value"]

    assert address("gateway") == ("lmp-gateway.media.svc", 8000)
    assert address("bucket") == ("s3.eu-central-1.amazonaws.com", 443)
    assert clusters["bucket"]["transport_socket"]["typed_config"]["sni"] == "s3.eu-central-1.amazonaws.com"
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_signatures_come_from_where_an_operator_says() -> None:
    mirror = {"url": "https://clamav.example.internal", "peers": [{"ipBlock": {"cidr": "10.9.0.7/32"}}]}
    found = rendered(values("minimal") | {"clamd": {"mirror": mirror}})
    told = found.named("ConfigMap", "clamd")["data"]["freshclam.conf"]
    assert re.findall(r"^\w+Mirror .*$", told, re.MULTILINE) == ["PrivateMirror https://clamav.example.internal"]
    assert mark(found, "clamd") != mark(release("minimal"), "clamd")
    ways = found.named("NetworkPolicy", "clamd")["spec"]["egress"]
    assert [way["to"] for way in ways] == [chart().values["network"]["dns"], mirror["peers"]]


def test_clamd_keeps_the_limits_it_has_here() -> None:
    def options(text: str) -> dict[str, str]:
        rows = [line.partition(" ") for line in text.splitlines() if line and line[0] not in "#$"]
        return {name: value for name, _, value in rows}

    here = options(CLAMD_CONFIG.read_text())
    there = options(release("minimal").named("ConfigMap", "clamd")["data"]["clamd.conf"])
    assert there == here | {
        "TCPSocket": "3310",
        "TCPAddr": "0.0.0.0",  # noqa: S104  of its pod; who reaches it is for the network policy to say
        "DatabaseDirectory": "/signatures",
        "TemporaryDirectory": "/tmp",
    }
