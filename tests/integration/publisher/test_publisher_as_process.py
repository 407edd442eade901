"""The stage as the process it is, before a sandboxed platform: spoken to by RPC, killed, stopped in order."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mediaapi.v1 import account_pb2, post_pb2
from mediaapi.v1 import publisher_service_pb2 as pb
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3
from deploy.local.stages import Stage, Wiring
from deploy.local.state import State
from deploy.local.tenant import DemoAccount, demo_accounts
from services.common import clock, context, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError

if TYPE_CHECKING:
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub


@dataclass(slots=True)
class Running:
    """The process and its sandbox, and one workspace's way to them."""

    stage: Stage
    wiring: Wiring
    stub: "PublisherServiceAsyncStub"
    caller: CallContext

    async def connect(self, account: DemoAccount) -> account_pb2.Account:
        inner = pb.CreateAccountRequest(platform=account.platform, display_name=account.display_name)
        inner.credentials.update(account.credentials)
        answer: account_pb2.Account = await self.stub.ProvisionAccount(
            pb.ProvisionAccountRequest(id=account.id, account=inner)
        )
        return answer

    async def post(self, account: DemoAccount, text: str, **more: object) -> post_pb2.Post:
        request = pb.CreatePostRequest(text=text, targets=[post_pb2.PostTargetInput(account_id=account.id)], **more)  # type: ignore[arg-type]
        answer: post_pb2.Post = await self.stub.CreatePost(request)
        return answer

    async def get(self, post_id: str) -> post_pb2.Post:
        answer: post_pb2.Post = await self.stub.GetPost(pb.GetPostRequest(id=post_id))
        return answer

    async def settled(self, post_id: str, within_s: float = 60.0) -> post_pb2.Post:
        unsettled = (post_pb2.POST_STATUS_PUBLISHING, post_pb2.POST_STATUS_SCHEDULED)
        async with asyncio.timeout(within_s):
            while True:
                try:
                    if (post := await self.get(post_id)).status not in unsettled:
                        return post
                except MediaError as exc:
                    # For a moment after a restart the channel does not know yet that the stage is back.
                    if exc.code is not Code.UNAVAILABLE:
                        raise
                await asyncio.sleep(0.1)

    def received(self, account: DemoAccount, text: str) -> int:
        """How often the sandbox shows a post of this text."""
        return len(self.arrived(account, text))

    def arrived(self, account: DemoAccount, text: str) -> list[dict[str, Any]]:
        """The sandbox's posts of this text."""
        answer = httpx.get(f"{self.wiring.sandbox_url}/{account.platform}/_sandbox/posts", trust_env=False)
        return [post for post in answer.raise_for_status().json()["posts"] if post["text"] == text]

    def cid(self, uri: str) -> str:
        """Of a post's record."""
        named = dict(zip(("repo", "collection", "rkey"), uri.removeprefix("at://").split("/"), strict=True))
        url = f"{self.wiring.sandbox_url}/{ACCOUNT.platform}/xrpc/com.atproto.repo.getRecord"
        return str(httpx.get(url, params=named, trust_env=False).raise_for_status().json()["cid"])

    def metrics(self) -> str:
        return httpx.get(f"http://{HOST}:{self.wiring.ports.publisher_metrics}/metrics", trust_env=False).text

    def order(self, account: DemoAccount, **fault: object) -> None:
        """The sandbox fails in a chosen way."""
        url = f"{self.wiring.sandbox_url}/{account.platform}/_sandbox/faults"
        httpx.post(url, json=fault, trust_env=False).raise_for_status()


STARTED_S = 12.0  # a killed publisher is there again by then, however much else the machine does
LATE_S = 3.0  # how exactly it wakes is held by a unit test; what a machine takes on top is the machine's matter
# Any platform whose sandbox is there will do: posts of text alone.
ACCOUNT = demo_accounts()[0]


@pytest.fixture(scope="module")
def processes(
    postgres: Postgres, nats: Nats, s3: S3, local_state: State, publisher_url: str
) -> Iterator[tuple[Stage, Wiring]]:
    """Started once."""
    wiring = Wiring(
        state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=Clamd(local_state)
    )
    publisher, sandbox = Stage("publisher", wiring), Stage("sandbox", wiring)
    try:
        sandbox.start()
        publisher.start()
        yield publisher, wiring
    finally:
        publisher.stop()
        sandbox.stop()


@pytest.fixture
async def running(processes: tuple[Stage, Wiring]) -> AsyncIterator[Running]:
    """A workspace of its own."""
    stage, wiring = processes
    caller = CallContext(f"ws_{uuid.uuid4().hex}", "req_1", plan="pro", wait_s=20.0)
    async with rpc.channel(f"{HOST}:{wiring.ports.publisher}") as channel:
        with context.use(caller):
            yield Running(stage, wiring, PublisherServiceStub(channel), caller)


async def test_an_account_is_connected_and_its_post_published(running: Running) -> None:
    account = await running.connect(ACCOUNT)
    assert (account.id, account.status) == (ACCOUNT.id, account_pb2.ACCOUNT_STATUS_ACTIVE)
    text = f"Hello {uuid.uuid4().hex}"
    post = await running.post(ACCOUNT, text)
    assert post.status == post_pb2.POST_STATUS_PUBLISHED, post
    [target] = post.targets
    assert (target.status, target.attempts) == (post_pb2.TARGET_STATUS_PUBLISHED, 1)
    assert target.platform_post_id
    assert running.received(ACCOUNT, text) == 1
    usage: pb.GetUsageResponse = await running.stub.GetUsage(pb.GetUsageRequest())
    assert (usage.posts_published, usage.posts_included) == (1, 1_000)
    listed: pb.ListPostsResponse = await running.stub.ListPosts(pb.ListPostsRequest())
    assert [it.id for it in listed.data] == [post.id]


async def test_wrong_credentials_are_refused_and_not_kept(running: Running) -> None:
    request = pb.CreateAccountRequest(platform=ACCOUNT.platform)
    request.credentials.update({"nonsense": "x"})
    with pytest.raises(MediaError) as caught:
        await running.stub.CreateAccount(request)
    assert caught.value.code is Code.ACCOUNT_CREDENTIALS_INVALID
    found: pb.ListAccountsResponse = await running.stub.ListAccounts(pb.ListAccountsRequest())
    assert not found.data


async def test_a_scheduled_post_is_published_when_it_is_due(running: Running) -> None:
    await running.connect(ACCOUNT)
    text = f"Later {uuid.uuid4().hex}"
    request = pb.CreatePostRequest(text=text, targets=[post_pb2.PostTargetInput(platform=ACCOUNT.platform)])
    request.scheduled_at.FromDatetime(clock.utc_now() + timedelta(seconds=2))
    post: post_pb2.Post = await running.stub.CreatePost(request)
    assert post.status == post_pb2.POST_STATUS_SCHEDULED
    assert running.received(ACCOUNT, text) == 0
    assert (await running.settled(post.id)).status == post_pb2.POST_STATUS_PUBLISHED
    assert running.received(ACCOUNT, text) == 1


async def test_scheduled_posts_go_out_at_their_time_as_they_were_written_also_after_a_kill(
    running: Running,
) -> None:
    await running.connect(ACCOUNT)
    [answered] = (await running.post(ACCOUNT, f"First {uuid.uuid4().hex}")).targets
    end = {"uri": answered.platform_post_id, "cid": running.cid(answered.platform_post_id)}
    options = {"reply": {"root": end, "parent": end}}
    due = {f"Due {n} {uuid.uuid4().hex}": clock.utc_now() + timedelta(seconds=STARTED_S + 0.37 * n) for n in range(12)}
    posts = []
    for text, moment in due.items():
        target = post_pb2.PostTargetInput(account_id=ACCOUNT.id)
        target.options.update(options)
        request = pb.CreatePostRequest(text=text, targets=[target])
        request.scheduled_at.FromDatetime(moment)
        posts.append(await running.stub.CreatePost(request))
    await asyncio.to_thread(running.stage.kill)
    await asyncio.to_thread(running.stage.start)
    assert clock.utc_now() < min(due.values()), "it took too long to start for this test to tell anything"
    for post, (text, moment) in zip(posts, due.items(), strict=True):
        [settled] = (await running.settled(post.id)).targets
        late_s = (settled.published_at.ToDatetime(UTC) - moment).total_seconds()
        assert 0 <= late_s < LATE_S, (text, late_s)
        [arrived] = running.arrived(ACCOUNT, text)
        assert arrived["replyTo"] == answered.platform_post_id


async def test_killed_with_a_post_under_way_it_publishes_once(running: Running) -> None:
    await running.connect(ACCOUNT)
    texts = [f"Kill {n} {uuid.uuid4().hex}" for n in range(6)]
    with context.use(CallContext(running.caller.workspace_id, "req_2", plan="pro", wait_s=0.0)):
        posts = [await running.post(ACCOUNT, text) for text in texts]
    await asyncio.to_thread(running.stage.kill)
    await asyncio.to_thread(running.stage.start)
    for post, text in zip(posts, texts, strict=True):
        assert (await running.settled(post.id, within_s=100)).status == post_pb2.POST_STATUS_PUBLISHED
        assert running.received(ACCOUNT, text) == 1


async def test_a_lost_answer_is_looked_up_and_the_post_sent_once(running: Running) -> None:
    await running.connect(ACCOUNT)
    text = f"Lost {uuid.uuid4().hex}"
    running.order(ACCOUNT, path="*createRecord", method="POST", mode="drop_after")
    post = await running.post(ACCOUNT, text)
    assert post.status == post_pb2.POST_STATUS_PUBLISHED, post
    assert (post.targets[0].attempts, running.received(ACCOUNT, text)) == (1, 1)


async def test_stopped_with_an_answer_outstanding_it_ends_in_time_and_looks_it_up_later(running: Running) -> None:
    await running.connect(ACCOUNT)
    text = f"Hang {uuid.uuid4().hex}"
    running.order(ACCOUNT, path="*createRecord", method="POST", mode="timeout")
    with context.use(CallContext(running.caller.workspace_id, "req_2", plan="pro", wait_s=0.0)):
        post = await running.post(ACCOUNT, text)
    async with asyncio.timeout(10):
        while (await running.get(post.id)).targets[0].status != post_pb2.TARGET_STATUS_PUBLISHING:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    child = running.stage.child
    assert child is not None
    await asyncio.to_thread(running.stage.stop)
    assert child.exit_code() == 0
    await asyncio.to_thread(running.stage.start)
    assert (await running.settled(post.id)).status == post_pb2.POST_STATUS_PUBLISHED
    assert running.received(ACCOUNT, text) == 1


async def test_no_log_and_no_metric_holds_a_credential(running: Running) -> None:
    canary = f"sandbox-{uuid.uuid4().hex}"
    credentials = {**ACCOUNT.credentials, list(ACCOUNT.credentials)[-1]: canary}
    await running.connect(replace(ACCOUNT, credentials=credentials))
    running.order(ACCOUNT, path="*createRecord", method="POST", mode="error")
    post = await running.post(ACCOUNT, f"Canary {uuid.uuid4().hex}")
    assert post.status == post_pb2.POST_STATUS_PUBLISHED
    metrics = running.metrics()
    assert f'publisher_targets_total{{platform="{ACCOUNT.platform}",status="published"}}' in metrics
    told = running.stage.state.log("publisher").read_text()
    assert "outcome unknown" in told
    assert canary not in told + metrics


async def test_another_workspace_knows_nothing_of_it(running: Running) -> None:
    await running.connect(ACCOUNT)
    post = await running.post(ACCOUNT, f"Mine {uuid.uuid4().hex}")
    with context.use(CallContext("ws_other", "req_3")), pytest.raises(MediaError) as caught:
        await running.stub.GetPost(pb.GetPostRequest(id=post.id))
    assert caught.value.code is Code.POST_NOT_FOUND


async def test_lists_are_paged_newest_first(running: Running) -> None:
    await running.connect(ACCOUNT)
    with context.use(CallContext(running.caller.workspace_id, "req_2", plan="pro", wait_s=0.0)):
        made = [(await running.post(ACCOUNT, f"Page {n} {uuid.uuid4().hex}")).id for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page: pb.ListPostsResponse = await running.stub.ListPosts(pb.ListPostsRequest(limit=2, cursor=cursor))
        assert len(page.data) <= 2
        seen += [it.id for it in page.data]
        if not page.HasField("next_cursor"):
            break
        cursor = page.next_cursor
    assert seen == made[::-1]
    for made_id in made:
        await running.settled(made_id)
    canceled: pb.ListPostsResponse = await running.stub.ListPosts(
        pb.ListPostsRequest(status=post_pb2.POST_STATUS_CANCELED)
    )
    assert not canceled.data


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListPostsRequest(limit=101), "limit"),
        (pb.ListPostsRequest(limit=-1), "limit"),
        (pb.ListPostsRequest(cursor="no cursor"), "cursor"),
        (pb.ListPostsRequest(cursor="W10="), "cursor"),
        (pb.ListPostsRequest(cursor="WzEsMl0="), "cursor"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(running: Running, request_: pb.ListPostsRequest, field: str) -> None:
    with pytest.raises(MediaError) as caught:
        await running.stub.ListPosts(request_)
    assert (caught.value.code, [it.field for it in caught.value.violations]) == (Code.INVALID_REQUEST, [field])


@pytest.mark.parametrize("post_id", ["", "post_x", "\0", "é" * 1000, "'; --"])
async def test_an_id_nobody_has_is_not_found(running: Running, post_id: str) -> None:
    with pytest.raises(MediaError) as caught:
        await running.stub.GetPost(pb.GetPostRequest(id=post_id))
    assert caught.value.code is Code.POST_NOT_FOUND
    for call in (
        running.stub.GetAccount(pb.GetAccountRequest(id=post_id)),
        running.stub.DeleteAccount(pb.DeleteAccountRequest(id=post_id)),
    ):
        with pytest.raises(MediaError) as caught:
            await call
        assert caught.value.code is Code.ACCOUNT_NOT_FOUND


@pytest.mark.parametrize("account_id", ["", "acc_", "post_1", "acc_\0", "acc_" + "x" * 61])
async def test_an_account_is_provisioned_under_a_proper_id_only(running: Running, account_id: str) -> None:
    with pytest.raises(MediaError) as caught:
        await running.connect(replace(ACCOUNT, id=account_id))
    assert [it.field for it in caught.value.violations] == ["id"]


async def test_an_account_is_listed_until_it_is_deleted(running: Running) -> None:
    await running.connect(ACCOUNT)
    for platform, count in (("", 1), (ACCOUNT.platform, 1), ("nowhere", 0), ("\0", 0)):
        found: pb.ListAccountsResponse = await running.stub.ListAccounts(pb.ListAccountsRequest(platform=platform))
        assert len(found.data) == count
    await running.stub.DeleteAccount(pb.DeleteAccountRequest(id=ACCOUNT.id))
    with pytest.raises(MediaError) as caught:
        await running.post(ACCOUNT, "gone")
    assert caught.value.code is Code.ACCOUNT_NOT_FOUND


async def test_it_says_what_it_needs_and_stops_in_order(processes: tuple[Stage, Wiring]) -> None:
    stage, wiring = processes
    metrics = f"http://{HOST}:{wiring.ports.publisher_metrics}"
    assert [http_status(f"{metrics}/{path}") for path in ("readyz", "healthz", "metrics")] == [200, 200, 200]
    child = stage.child
    assert child is not None
    stage.stop()
    assert child.exit_code() == 0
    stage.start()
