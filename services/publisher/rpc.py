"""PublisherService: proto in, use case, proto out."""

import re
from dataclasses import fields
from datetime import UTC

from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict
from mediaapi.v1 import account_pb2, post_pb2
from mediaapi.v1 import media_pb2 as media
from mediaapi.v1 import publisher_service_pb2 as pb

from services.common import context
from services.common.errors import Code, MediaError, Violation
from services.publisher import platform_view
from services.publisher.account_view import message as _account
from services.publisher.app.assembly import Application
from services.publisher.app.connecting import AccountInput
from services.publisher.app.webhooks.managing import Manage
from services.publisher.domain import plans
from services.publisher.domain.post import JSON, PostStatus
from services.publisher.domain.request import MediaInput, PostChange, PostInput, TargetInput
from services.publisher.paging import caller as _caller
from services.publisher.paging import cursor as _cursor
from services.publisher.paging import limit as _limit
from services.publisher.paging import plain as _plain
from services.publisher.paging import position as _position
from services.publisher.post_view import message as _post
from services.publisher.webhook_rpc import Rpc, WebhookRpc

MAX_WAIT_S = 30.0
CHANGEABLE = frozenset(field.name for field in fields(PostInput))
PROVISIONED_ID = re.compile(r"acc_[A-Za-z0-9_-]{1,60}")


class PublisherRpc(WebhookRpc):
    """The stage's RPCs."""

    def __init__(self, app: Application, webhooks: Manage) -> None:
        super().__init__(webhooks)
        self._create_post = app.create_post
        self._validate_post = app.validate_post
        self._posts = app.read_posts
        self._change = app.change_posts
        self._connect = app.connect
        self._verify_account = app.verify_account
        self._resolver = app.resolver
        self._wake = app.wake
        self._platforms = pb.ListPlatformsResponse(data=platform_view.platforms(app.publishing))

    async def CreatePost(self, request: pb.CreatePostRequest, rpc: Rpc) -> post_pb2.Post:  # noqa: N802
        """Accepts a post; with a wait, answers when it is settled or the wait is over."""
        ctx = context.current()
        caller = _caller()
        post = await self._create_post(
            caller, _post_input(request), plan=ctx.plan, idempotency_key=ctx.idempotency_key, request_id=ctx.request_id
        )
        self._wake()  # the event does it too, in any process, and later
        return _post(await self._posts.settled(caller, post, min(ctx.wait_s or 0.0, MAX_WAIT_S)))

    async def ValidatePost(self, request: pb.ValidatePostRequest, rpc: Rpc) -> pb.ValidatePostResponse:  # noqa: N802
        """What CreatePost would say."""
        problems = await self._validate_post(_caller(), _post_input(request), plan=context.current().plan)
        errors = [pb.FieldProblem(field=it.field, message=it.message) for it in problems]
        return pb.ValidatePostResponse(valid=not errors, errors=errors)

    async def UpdatePost(self, request: pb.UpdatePostRequest, rpc: Rpc) -> post_pb2.Post:  # noqa: N802
        """Changes a post that is not due yet."""
        ctx = context.current()
        wanted = _post_input(request)
        change = PostChange(wanted=wanted, given=_given(request))
        post = await self._change.update(
            _caller(), _plain(request.id), change, plan=ctx.plan, request_id=ctx.request_id
        )
        self._wake()
        return _post(post)

    async def CancelPost(self, request: pb.CancelPostRequest, rpc: Rpc) -> post_pb2.Post:  # noqa: N802
        """Ends what nothing was sent of."""
        return _post(await self._change.cancel(_caller(), _plain(request.id)))

    async def RetryPost(self, request: pb.RetryPostRequest, rpc: Rpc) -> post_pb2.Post:  # noqa: N802
        """Sends again; with a wait, answers when it is settled or the wait is over."""
        ctx = context.current()
        post = await self._change.retry(
            _caller(), _plain(request.id), plan=ctx.plan, unconfirmed=request.confirm_resend
        )
        self._wake()
        return _post(await self._posts.settled(_caller(), post, min(ctx.wait_s or 0.0, MAX_WAIT_S)))

    async def GetPost(self, request: pb.GetPostRequest, rpc: Rpc) -> post_pb2.Post:  # noqa: N802
        """One post of the caller's mode."""
        return _post(await self._posts.get(_caller(), _plain(request.id)))

    async def ListPosts(self, request: pb.ListPostsRequest, rpc: Rpc) -> pb.ListPostsResponse:  # noqa: N802
        """A page, newest first."""
        name = post_pb2.PostStatus.Name(request.status).removeprefix("POST_STATUS_").lower()
        status = PostStatus(name) if request.status else None
        posts, after = await self._posts.page(
            _caller(), limit=_limit(request.limit), after=_position(request.cursor), status=status
        )
        return pb.ListPostsResponse(data=[_post(it) for it in posts], next_cursor=_cursor(after))

    async def CreateAccount(self, request: pb.CreateAccountRequest, rpc: Rpc) -> account_pb2.Account:  # noqa: N802
        """Connects an account under an id of ours."""
        return _account(await self._connect.create(_caller(), self._account_input(request)))

    async def ProvisionAccount(self, request: pb.ProvisionAccountRequest, rpc: Rpc) -> account_pb2.Account:  # noqa: N802
        """Connects an account under an id of the caller's choosing; again, with what is given now."""
        if not PROVISIONED_ID.fullmatch(request.id):
            violation = Violation("id", "must be acc_ and 1 to 60 letters, digits, - or _")
            raise MediaError(Code.INVALID_REQUEST, violations=[violation])
        return _account(await self._connect.create(_caller(), self._account_input(request.account), request.id))

    async def GetAccount(self, request: pb.GetAccountRequest, rpc: Rpc) -> account_pb2.Account:  # noqa: N802
        """One account of the caller's mode."""
        return _account(await self._connect.get(_caller(), _plain(request.id)))

    async def VerifyAccount(self, request: pb.VerifyAccountRequest, rpc: Rpc) -> account_pb2.Account:  # noqa: N802
        """Tries it upstream."""
        return _account(await self._verify_account(_caller(), _plain(request.id)))

    async def ListAccounts(self, request: pb.ListAccountsRequest, rpc: Rpc) -> pb.ListAccountsResponse:  # noqa: N802
        """A page, newest first."""
        platform = self._resolver.platform(_plain(request.platform)) or None
        accounts, after = await self._connect.page(
            _caller(), limit=_limit(request.limit), after=_position(request.cursor), platform=platform
        )
        return pb.ListAccountsResponse(data=[_account(it) for it in accounts], next_cursor=_cursor(after))

    async def DeleteAccount(self, request: pb.DeleteAccountRequest, rpc: Rpc) -> pb.DeleteAccountResponse:  # noqa: N802
        """Forgets the account and its credentials."""
        await self._connect.delete(_caller(), _plain(request.id))
        return pb.DeleteAccountResponse()

    async def GetUsage(self, request: pb.GetUsageRequest, rpc: Rpc) -> pb.GetUsageResponse:  # noqa: N802
        """The current month of the caller's mode."""
        period, used = await self._posts.usage(_caller())
        return pb.GetUsageResponse(
            period=period, posts_published=used, posts_included=plans.included(context.current().plan)
        )

    async def ListPlatforms(self, request: pb.ListPlatformsRequest, rpc: Rpc) -> pb.ListPlatformsResponse:  # noqa: N802
        """What every platform takes, the same for everybody."""
        return self._platforms

    def _account_input(self, request: pb.CreateAccountRequest) -> AccountInput:
        return AccountInput(
            platform=self._resolver.platform(request.platform),
            display_name=request.display_name,
            credentials=_json(request.credentials),
            service_url=request.service_url if request.HasField("service_url") else None,
        )


def _given(request: pb.UpdatePostRequest) -> frozenset[str]:
    """What is to be changed. Who names nothing means whatever is there, so that nothing is dropped in silence.

    Raises:
        MediaError: INVALID_REQUEST, it names what cannot be changed.
    """
    named = frozenset(request.update_mask.paths)
    if unknown := sorted(named - CHANGEABLE):
        rows = [Violation("updateMask", f"{name[:64]} cannot be changed") for name in unknown[:20]]
        raise MediaError(Code.INVALID_REQUEST, violations=rows, field="updateMask")
    return named or frozenset(field.name for field, _ in request.ListFields()) & CHANGEABLE


def _post_input(request: pb.CreatePostRequest | pb.ValidatePostRequest | pb.UpdatePostRequest) -> PostInput:
    scheduled = request.scheduled_at.ToDatetime(UTC) if request.HasField("scheduled_at") else None
    return PostInput(
        text=request.text,
        targets=tuple(_target_input(it) for it in request.targets),
        media=tuple(_media_input(it) for it in request.media),
        scheduled_at=scheduled,
    )


def _target_input(request: post_pb2.PostTargetInput) -> TargetInput:
    return TargetInput(
        platform=request.platform,
        account_id=request.account_id,
        text=request.text if request.HasField("text") else None,
        media=tuple(_media_input(it) for it in request.media),
        options=_json(request.options),
    )


def _media_input(request: post_pb2.PostMediaInput) -> MediaInput:
    kind = media.MediaKind.Name(request.kind).removeprefix("MEDIA_KIND_").lower() if request.kind else ""
    return MediaInput(
        media_id=request.media_id if request.HasField("media_id") else None,
        data=request.data if request.HasField("data") else None,
        url=request.url if request.HasField("url") else None,
        kind=kind,
        alt_text=request.alt_text if request.HasField("alt_text") else None,
    )


def _json(struct: struct_pb2.Struct) -> dict[str, JSON]:
    return {name: _whole(value) for name, value in MessageToDict(struct).items()}


def _whole(value: JSON) -> JSON:
    """A Struct knows only floats; platforms that want an integer refuse 1.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(it) for it in value]
    if isinstance(value, dict):
        return {name: _whole(it) for name, it in value.items()}
    return value
