"""One request is one trace: from HTTP over RPCs and events to the workers, whatever process they run in."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from tests import media
from tests.e2e.client import Client, body, eventually
from tests.e2e.collector import Collector, Seen, collecting
from tests.receiver import Receiver

STAGES = ("gateway", "ingest", "scanner", "transcoder", "publisher")
# What callers told us of themselves, and nobody else is to be told.
PRIVATE = ("holiday-with-ann.jpg", "Ann on the beach", "ann@example.com", "letmepost.test", "sandbox-password")
HOOKED = "/ok/hooked-by-ann"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the stack's spans go."""
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def traced(collector: Collector, receiver: Receiver) -> Iterator[Stack]:
    """A stack of its own, told where the collector is, and free to send webhooks to the receiver."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("LMP_OTEL_ENDPOINT", collector.url)
        origins = (receiver.url,)
        with Stack(State(Path(folder)), ports=Ports.free(), tell=print, webhook_origins=origins) as stack:
            yield stack


@pytest.fixture(scope="module")
def client(traced: Stack, receiver: Receiver) -> Iterator[Client]:
    """Somebody who is told by webhooks what became of media and posts."""
    found = Client(traced.url, traced.api_key)
    endpoint = {"url": receiver.url + HOOKED, "events": ["media.ready", "post.published"]}
    body(found.http.post("/v1/webhook-endpoints", json=endpoint))
    yield found
    found.close()


class Caller:
    """Somebody who traces too: our spans are to hang below theirs."""

    def __init__(self) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)

    @property
    def headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}


def upload(client: Client, caller: Caller) -> str:
    """A photo with something private about it, once it is settled; its id."""
    files = {"file": ("holiday-with-ann.jpg", media.jpeg())}
    fields = {"altText": "Ann on the beach"}
    stored = body(client.http.post("/v1/media", headers=caller.headers, files=files, data=fields))
    assert client.settled_media(stored["id"])["status"] == "ready"
    return str(stored["id"])


def names(spans: Sequence[Seen]) -> set[tuple[str, str]]:
    return {(seen.service.removeprefix("letmepost-"), seen.span.name) for seen in spans}


def await_spans(collector: Collector, caller: Caller, expected: set[tuple[str, str]]) -> Sequence[Seen]:
    eventually(lambda: expected <= names(collector.trace(caller.trace_id)), within_s=20)
    return collector.trace(caller.trace_id)


def assert_connected(spans: Sequence[Seen], caller: Caller) -> None:
    """Each span hangs below another one, the first below the caller's, and none begins before its parent."""
    by_id = {seen.id: seen for seen in spans}
    roots = [seen for seen in spans if seen.parent_id == caller.span_id]
    assert [seen.service for seen in roots] == ["letmepost-gateway"]
    for seen in spans:
        assert seen.parent_id == caller.span_id or seen.parent_id in by_id, seen.span.name
        if seen.parent_id in by_id:
            assert by_id[seen.parent_id].span.start_time_unix_nano <= seen.span.start_time_unix_nano


INGEST, SCANNER = "/mediaapi.v1.IngestService", "/mediaapi.v1.ScannerService"
UPLOADED = {
    ("gateway", "POST /v1/media"),
    ("ingest", f"{INGEST}/UploadMedia"),
    ("ingest", "ingest_judge"),
    ("scanner", f"{SCANNER}/ScanObject"),
    ("transcoder", "transcoder_media"),
    ("transcoder", "transcoder_job"),
    ("ingest", "ingest_rendered"),
    ("publisher", "publisher_media"),
    ("publisher", "publisher_webhooks_media"),
    ("publisher", "publisher_webhook_attempt"),
}
POSTED = {
    ("gateway", "POST /v1/posts"),
    ("publisher", "/mediaapi.v1.PublisherService/CreatePost"),
    ("ingest", f"{INGEST}/PinMedia"),
    ("publisher", "publisher_queue"),
    ("publisher", "publisher_delivery"),
    ("publisher", "publisher_call"),
    ("publisher", "publisher_webhooks"),
    ("publisher", "publisher_webhook_attempt"),
    ("transcoder", "/mediaapi.v1.TranscoderService/EnsureVariant"),
}


def test_an_upload_is_one_trace_through_all_stages(client: Client, collector: Collector) -> None:
    caller = Caller()
    upload(client, caller)
    spans = await_spans(collector, caller, UPLOADED)
    assert_connected(spans, caller)
    assert {seen.service.removeprefix("letmepost-") for seen in spans} == set(STAGES)
    (root,) = [seen.span for seen in spans if seen.parent_id == caller.span_id]
    told = {pair.key: pair.value for pair in root.attributes}
    assert (told["http.route"].string_value, told["http.response.status_code"].int_value) == ("/v1/media", 201)


def test_a_post_is_one_trace_to_the_webhook_that_tells_of_it(client: Client, collector: Collector) -> None:
    media_id, caller = upload(client, Caller()), Caller()
    post = {
        "text": "Write to ann@example.com",
        "targets": [{"accountId": "acc_bsky_xyz"}, {"accountId": "acc_x_xyz"}],
        "media": [{"mediaId": media_id}],
    }
    made = body(client.http.post("/v1/posts", json=post, headers=caller.headers))
    assert client.settled_post(made["id"])["status"] == "published"
    spans = await_spans(collector, caller, POSTED)
    assert_connected(spans, caller)
    # The call of the platform is within the delivery of its target; both targets have their own.
    deliveries = {seen.id for seen in spans if seen.span.name == "publisher_delivery"}
    calls = {seen.parent_id for seen in spans if seen.span.name == "publisher_call"}
    assert len(deliveries) >= 2
    assert len(calls) == 2
    assert calls <= deliveries
    # So is a webhook's attempt within what made its event.
    events = {seen.id for seen in spans if seen.span.name == "publisher_webhooks"}
    assert [seen.parent_id in events for seen in spans if seen.span.name == "publisher_webhook_attempt"] == [True]


def test_a_variant_on_demand_is_made_in_the_trace_of_who_asked(client: Client, collector: Collector) -> None:
    media_id, caller = upload(client, Caller()), Caller()
    body(client.http.post(f"/v1/media/{media_id}/variants", json={"preset": "instagram.story"}, headers=caller.headers))
    expected = {("gateway", "POST /v1/media/{media_id}/variants"), ("transcoder", "transcoder_job")}
    assert_connected(await_spans(collector, caller, expected), caller)


def test_a_download_and_a_refusal_are_traced_too(client: Client, collector: Collector) -> None:
    media_id = upload(client, Caller())
    download, refusal = Caller(), Caller()
    assert client.http.get(f"/v1/media/{media_id}/source", headers=download.headers).status_code == 200
    assert client.http.get("/v1/media/med_ann", headers=refusal.headers).status_code == 404
    route = ("gateway", "GET /v1/media/{id}/source")
    assert_connected(await_spans(collector, download, {route, ("ingest", f"{INGEST}/DownloadSource")}), download)
    spans = await_spans(collector, refusal, {("gateway", "GET /v1/media/{id}"), ("ingest", f"{INGEST}/GetMedia")})
    for seen in spans:
        told = {pair.key: pair.value.string_value for pair in seen.span.attributes}
        assert told["error.type"] == "media_not_found"


def test_who_does_not_trace_gets_a_trace_of_ours(client: Client, collector: Collector) -> None:
    before = {seen.id for seen in collector.everything()}
    client.http.get("/v1/usage")

    def found() -> list[Seen]:
        new = [seen for seen in collector.everything() if seen.id not in before]
        return [seen for seen in new if seen.span.name == "GET /v1/usage"]

    eventually(lambda: len(found()) == 1, within_s=20)
    assert found()[0].parent_id == ""


def test_spans_tell_nothing_of_anybody(traced: Stack, collector: Collector) -> None:
    spans = collector.everything()
    assert len(spans) > 20
    whole = "\n".join(str(seen.span) for seen in spans)
    for private in (*PRIVATE, HOOKED, "Ann", "med_ann", traced.api_key, traced.tenant.workspace_id):
        assert private not in whole


def test_probes_leave_no_traces(collector: Collector) -> None:
    assert not [seen for seen in collector.everything() if "Health" in seen.span.name or "readyz" in seen.span.name]


def test_a_stage_without_an_endpoint_tells_nothing_and_passes_on(
    traced: Stack, client: Client, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LMP_OTEL_ENDPOINT")
    traced.stop_daemon("ingest")
    traced.start_daemon("ingest")
    caller = Caller()
    upload(client, caller)
    expected = {(stage, name) for stage, name in UPLOADED if stage != "ingest"}
    spans = await_spans(collector, caller, expected)
    assert "letmepost-ingest" not in {seen.service for seen in spans}
    assert_connected(spans, caller)
