"""What the dashboard and the alerts ask for is what the running stages tell, by those names and labels."""

import re
import urllib.request
import uuid
from collections.abc import Iterator

from deploy.local.ports import HOST
from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from tests import media
from tests.chart import monitoring
from tests.e2e.client import Client, body, eventually
from tests.receiver import Receiver

_SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? \S+$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def test_every_series_that_somebody_asks_for_is_told(stack: Stack, receiver: Receiver) -> None:
    client = Client(stack.url, stack.api_key)
    path = f"/ok/{uuid.uuid4().hex}"
    endpoint = {"url": receiver.url + path, "events": ["media.ready"]}
    made = body(client.http.post("/v1/webhook-endpoints", json=endpoint))
    item = client.stored(media.jpeg())
    post = body(client.create_post("Hello", [item["id"]], [{"accountId": "acc_bsky_xyz"}]))
    assert client.settled_post(post["id"])["status"] == "published"
    eventually(lambda: bool(receiver.at(path)), within_s=60)
    missing: list[monitoring.Use] = []

    def all_told() -> bool:
        told = dict(_told(stack))
        missing[:] = [use for use in monitoring.uses() if not _covers(told, use)]
        return not missing

    try:
        eventually(all_told, within_s=60)
    except AssertionError as exc:
        raise AssertionError(sorted({(use.metric, *sorted(use.labels)) for use in missing})) from exc
    finally:
        client.http.delete(f"/v1/webhook-endpoints/{made['id']}")
        client.close()


def test_what_waits_is_told_for_every_step(stack: Stack) -> None:
    steps = {labels["step"] for name, labels in _samples(stack) if name == "waiting_oldest_seconds"}
    asked = {"ingest_scanning", "ingest_processing", "ingest_sealing", "ingest_expiring", "ingest_removing"}
    asked |= {"transcoder_images", "transcoder_videos", "transcoder_removing", "publisher_webhooks"}
    asked |= {"publisher_targets", "publisher_imports", "publisher_unknown"}
    asked |= {f"{stage}_outbox" for stage in ("ingest", "transcoder", "publisher")}
    assert asked <= steps


def _covers(told: dict[str, set[str]], use: monitoring.Use) -> bool:
    if use.metric in monitoring.OF_PROMETHEUS:
        return True
    return use.metric in told and use.labels - monitoring.SCRAPED <= told[use.metric]


def _told(stack: Stack) -> Iterator[tuple[str, set[str]]]:
    """Each series' name with the labels it is told with, of all stages and Envoy."""
    found: dict[str, set[str]] = {}
    for name, labels in _samples(stack):
        found.setdefault(name, set()).update(labels)
    yield from found.items()


def _samples(stack: Stack) -> Iterator[tuple[str, dict[str, str]]]:
    ports = stack.wiring.ports
    places = [f"{HOST}:{getattr(ports, f'{stage}_metrics')}/metrics" for stage in STAGES]
    for place in (*places, f"{HOST}:{ports.envoy_status}/stats/prometheus"):
        with urllib.request.urlopen(f"http://{place}", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if found := _SAMPLE.match(line):
                    yield found["name"], dict(_LABEL.findall(found["labels"] or ""))
