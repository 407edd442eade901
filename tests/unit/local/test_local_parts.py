"""The parts of the local stack that need no process."""

import dataclasses
import io
import os
import socket
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from deploy.local import clamd, s3
from deploy.local.ports import HOST, Ports
from deploy.local.processes import LocalError, tail
from deploy.local.state import State


def clamd_options() -> dict[str, str]:
    """The options of the configuration we ship, comments left out."""
    text = Template(clamd.CONFIG.read_text()).substitute(
        CLAMD_LISTEN="LocalSocket /run/clamd.sock", CLAMD_DATABASE_DIR="/db", CLAMD_TMP_DIR="/scratch"
    )
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in lines}


def test_clamd_never_calls_clean_what_it_did_not_look_at() -> None:
    options = clamd_options()
    assert options["AlertExceedsMax"] == "yes"
    assert options["AlertEncrypted"] == "yes"
    assert options["StreamMaxLength"] == options["MaxFileSize"] == "600M"
    assert options["MaxScanSize"] == "2000M"
    assert options["MaxScanTime"] == "300000"


def test_clamd_does_not_call_ordinary_pictures_broken() -> None:
    assert clamd_options()["AlertBrokenMedia"] == "no"


def test_the_needle_signature_matches_the_needle() -> None:
    name, target, offset, body = (clamd.SIGNATURES / "needle.ndb").read_text().strip().split(":")
    assert (name, target, offset) == ("Letmepost-Test-Needle", "0", "*")
    assert bytes.fromhex(body) == clamd.NEEDLE


def test_the_cdn_identity_only_reads_the_active_bucket() -> None:
    assert s3.IDENTITIES["cdn"] == ("Read:media-active",)


def test_no_stage_but_ingest_can_write_to_quarantine() -> None:
    writers = [name for name, actions in s3.IDENTITIES.items() if f"Write:{s3.QUARANTINE}" in actions]
    assert writers == ["ingest"]


def test_ports_come_from_the_environment() -> None:
    ports = Ports.from_environment({"LMP_PORT": "9999", "LMP_POSTGRES_PORT": "5433", "OTHER": "x"})
    assert (ports.edge, ports.postgres, ports.nats) == (9999, 5433, Ports().nats)


@pytest.mark.parametrize("value", ["", "http", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(value: str) -> None:
    with pytest.raises(LocalError, match="LMP_PORT="):
        Ports.from_environment({"LMP_PORT": value})


def test_default_ports_are_all_different() -> None:
    numbers = [getattr(Ports(), name) for name in Ports.__slots__]
    assert len(numbers) == len(set(numbers))


def test_a_second_stack_is_told_of_every_port_that_the_first_has() -> None:
    ports = Ports.free()
    with socket.create_server((HOST, ports.s3_rpc)), socket.create_server((HOST, ports.weed_filer_rpc)):
        with pytest.raises(LocalError) as caught:
            ports.check()
        told = str(caught.value).splitlines()
    assert [line.partition(" is taken")[0] for line in told] == [
        f"port {ports.s3_rpc} (s3_rpc)",
        f"port {ports.weed_filer_rpc} (weed_filer_rpc)",
    ]
    assert "LMP_S3_RPC_PORT=" in told[0]
    ports.check()


def test_two_things_cannot_have_one_port() -> None:
    ports = Ports.free()
    with pytest.raises(LocalError, match=f"port {ports.s3} is given to two things"):
        dataclasses.replace(ports, s3_rpc=ports.s3).check()


def test_the_object_store_chooses_no_port_by_itself(tmp_path: Path) -> None:
    ports = s3.S3Ports.of(Ports.free())
    told = [word.rpartition("=") for word in s3.S3(State(tmp_path), ports=ports).argv() if ".port" in word]
    assert {int(value) for _, _, value in told} == {0, *dataclasses.astuple(ports)}
    assert {option for option, _, _ in told} >= {
        f"-{server}.port{kind}" for server in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")
    }


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    first = state.secret("pepper", size_bytes=32)
    assert len(first) == 64
    assert State(tmp_path / "state").secret("pepper") == first
    assert (state.root / "secrets" / "pepper").stat().st_mode & 0o777 == 0o600
    assert (state.root / "secrets").stat().st_mode & 0o077 == 0


def test_two_stacks_cannot_share_a_folder(tmp_path: Path) -> None:
    handle = State(tmp_path).lock()
    with pytest.raises(LocalError, match=rf"pid {os.getpid()}"):
        State(tmp_path).lock()
    os.close(handle)
    os.close(State(tmp_path).lock())


def test_a_long_folder_name_still_gives_a_socket_path_the_kernel_takes(tmp_path: Path) -> None:
    daemon = clamd.Clamd(State(tmp_path / ("x" * 100)))
    assert len(str(daemon.socket)) <= clamd.SOCKET_PATH_LIMIT


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert tail(log, 2) == "    line 99998\n    line 99999"
    assert "does not exist" in tail(tmp_path / "b.log", 2)


def test_free_ports_are_given_once_in_all_processes_at_a_time() -> None:
    code = (
        "import dataclasses; from deploy.local.ports import Ports;"
        " print(*(n for _ in range(5) for n in dataclasses.astuple(Ports.free())), flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        given = [int(number) for one in others for number in (one.stdout or io.StringIO()).readline().split()]
        given += [number for _ in range(5) for number in dataclasses.astuple(Ports.free())]
    finally:
        for one in others:
            one.communicate("\n")
    assert len(given) == len(set(given)) == 15 * len(dataclasses.fields(Ports))
    assert max(given) < 32_768
