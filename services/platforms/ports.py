"""What the publisher asks of a platform, and what a platform module may rely on.

A platform's `publish.py` holds one instance named `PUBLISHER`. It is given the HTTP client, so it can reach only what
the publisher's guard lets it reach, and it splits publishing into three calls with different promises:

    prepare     uploads and containers. Repeatable; resumed from what it saved as progress.
    publish     the ONE mutation that makes the post visible. Never repeated inside.
    reconcile   read-only: what became of a publish whose answer was lost.

How a call may end:

    returns                the outcome is known, and good
    PlatformError          the outcome is known, and nothing became visible: a documented refusal, or a request of which
                           no byte was sent (refused, DNS, TLS). `fault` says what to do about it
    Underway               the platform has everything and is at work; what comes of it is asked by reconcile()
    OutcomeUnknown, or     raised out of publish(): the platform may have done it (timeout, reset, 5xx, an answer nobody
    anything else          can read). The caller reconciles and never sends blindly again

In prepare(), verify() and reconcile() nothing visible happens, so there a lost answer or a 5xx is
PlatformError(TRANSIENT); whatever else they raise may be taken as transient too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

import httpx

from services.platforms.pauses import Pauses

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

SECRET = "secret"  # noqa: S105  name, in what was prepared, of all that only those may know who may write to the upload
DUPLICATE_POST = "duplicate_post"  # code of what is refused since the account has a post like it

SaveCredentials = Callable[[Mapping[str, str]], Awaitable[None]]


async def keep_nothing(credentials: Mapping[str, str]) -> None:
    """For accounts nobody stores, as while their first credentials are tried."""


@asynccontextmanager
async def renewed_by_nobody_else() -> AsyncIterator[bool]:
    """For accounts nobody else has, as while their first credentials are tried."""
    yield True


class Fault(StrEnum):
    """Why nothing was published, hence what helps."""

    TRANSIENT = "transient"  # the same call later
    NOT_READY = "not_ready"  # the same call soon: the platform is still processing, or credentials were renewed
    REBUILD = "rebuild"  # prepared things are gone upstream: forget progress and prepare anew
    PERMANENT = "permanent"  # nothing; the platform refuses this post
    ACCOUNT = "account"  # the owner must reconnect the account
    QUOTA = "quota"  # much later: the account's allowance is used up


class PlatformError(Exception):
    """A known outcome: nothing was published.

    Args:
        fault: What helps.
        code: lower_snake and stable, e.g. "text_too_long", "session_refused".
        message: A sentence the post's author may read; never holds credentials.
        retry_after_s: Seconds the platform asked us to wait, None if it said nothing.
    """

    def __init__(self, fault: Fault, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.fault = fault
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class ScopeMissingError(PlatformError):
    """verify() learned that the token was not given what posts need. scopes: as the platform calls them."""

    def __init__(self, platform: str, scopes: Sequence[str]) -> None:
        super().__init__(Fault.ACCOUNT, "scope_missing", f"{platform} did not grant: {', '.join(scopes)}.")
        self.scopes = tuple(scopes)


class OutcomeUnknown(Exception):  # noqa: N818  it is a state of knowledge, not an error
    """publish() was answered in a way that tells nothing: a 5xx, or a success nobody can read."""


class Underway(Exception):  # noqa: N818  it is a state, not an error
    """publish() or reconcile() learned that the platform has everything, and publishes it without being asked again.

    Args:
        found: What publish() was told, and the next reconcile() is given beside what was prepared. Ignored from there.
        retry_after_s: When to ask what came of it, None if the platform said nothing.
    """

    def __init__(self, found: Mapping[str, JSON] | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__("the platform is at work on the post")
        self.found = found or {}
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One rendition, as the platform will get it.

    check() may be called before the rendition exists; it looks only at content_type (image/… or video/…), alt_text and
    the number of assets.

    Attributes:
        preset: "<platform>.<name>", e.g. the preset the transcoder made it by.
        content_type: Of the bytes.   size_bytes: exact.   width, height: pixels as shown.
        duration_s: Seconds; None for images.   alt_text: None where the author gave none.
        url: Where the CDN serves it; may be unreachable from outside (a local stack).
        read: Opens the bytes anew, from their start, in pieces of any length.
    """

    preset: str
    content_type: str
    size_bytes: int
    width: int
    height: int
    duration_s: float | None = None
    alt_text: str | None = None
    url: str
    read: Callable[[], AsyncIterator[bytes]]

    @property
    def is_video(self) -> bool:
        """Whether it moves and has a duration; an animated GIF is an image."""
        return self.content_type.startswith("video/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What to publish on one account.

    Attributes:
        text: As the author wrote it.
        assets: In the author's order.   cover: the picture shown before a video plays, where the caller has one.
        options: The target's `options` of the API; unknown names are reported by check().
        created_at: Aware UTC; the same at every try, since platforms tell copies by it.
    """

    text: str
    assets: tuple[Asset, ...] = ()
    cover: Asset | None = None
    options: Mapping[str, JSON] = field(default_factory=dict)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Who publishes.

    Attributes:
        account_id: Ours.
        base_url: A self-hosted service or the sandbox, without a trailing slash; None: the platform's public address.
        credentials: Opened; a platform's module names the keys it reads. Never logged.
        save: Keeps renewed credentials. A module that renewed them saves them and raises NOT_READY, so that the next
            try is opened with them.
        renewing: Holds the right to spend what credentials are renewed with, which one has at a time; save() is called
            inside. False: another has it, or renewed them since they were opened, and the next try finds the new ones.
        pauses: Where a platform that tells how much of an allowance is used has its pauses kept.
    """

    account_id: str
    base_url: str | None
    credentials: Mapping[str, str] = field(repr=False)
    save: SaveCredentials = field(default=keep_nothing, repr=False)
    renewing: Callable[[], AbstractAsyncContextManager[bool]] = field(default=renewed_by_nobody_else, repr=False)
    pauses: Pauses = field(default_factory=Pauses, repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedAccount:
    """An account whose credentials the platform took.

    credentials are those to store: the given ones, and what verify() learned for later calls (a user id, a board).
    """

    display_name: str
    external_id: str
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why the platform would refuse the draft, known before asking it.

    Attributes:
        field: Where, as in the API's body of a target: "text", "media[0].altText", "options.boardId".
        rule: lower_snake and stable, e.g. "text_too_long".
        message: A sentence with the numbers in it.
        limit, value: What is allowed and what was found, where the rule is about numbers.
    """

    field: str
    rule: str
    message: str
    limit: float | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The post is live. url is where people see it, None where the platform has no address for it.

    platform_post_id is "" where the platform says that the post is live, and not which one it is.
    looked_up: it was found by what it says. Another post of the account may say the same.
    """

    platform_post_id: str
    url: str | None
    looked_up: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """The post was looked for and is not there.

    safe_to_send: the platform knows the handle, so sending again under the same one cannot publish twice. False where
    the platform may merely show the post late.
    """

    safe_to_send: bool


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The platform gave no evidence either way.

    for_good: nor will it ever, since it has nothing that could be asked.
    """

    for_good: bool = False


class Progress(Protocol):
    """What prepare() has done so far for one target; kept across crashes and workers."""

    def load(self, step: str) -> Mapping[str, JSON] | None:
        """What was saved for this step; None if nothing was."""
        ...

    async def save(self, step: str, state: Mapping[str, JSON]) -> None:
        """Keeps the state of this step, durably, before it returns."""
        ...


class Publisher(Protocol):
    """One platform. Implementations keep no state that a restart may not lose."""

    @property
    def id(self) -> str:
        """The folder's name, which is the platform's id everywhere."""
        ...

    def check(self, draft: Draft) -> Sequence[Problem]:
        """Everything the platform would refuse that can be known without asking it. No network."""
        ...

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Tries the credentials. Raises PlatformError: ACCOUNT if they are refused or incomplete."""
        ...

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """The name under which the platform knows a second try as the same post; "" where it has none.

        random_bytes(n) gives n random bytes.
        """
        ...

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Brings everything upstream that publish() refers to. Nothing becomes visible.

        Does not sleep: while the platform still processes, raises NOT_READY with retry_after_s, and is called again.
        Returns what publish() and reconcile() need, as JSON of at most some kB. What is in it under SECRET is sealed
        where it is kept, as all progress is; nothing else is. Raises PlatformError.
        """
        ...

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """Makes the post visible by one request. See the module on how it may end."""
        ...

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Whether a publish() begun at `since` (aware UTC) made the post visible. Read-only, so repeatable.

        Absent(safe_to_send=True) is also right for a post the platform gave up: publish() is called with the same
        `prepared` then, and raises why.
        """
        ...


@runtime_checkable
class ChoosesPresets(Protocol):
    """A publisher some of whose posts take other renditions than the platform's default ones."""

    def preset(self, options: Mapping[str, JSON]) -> str:
        """The preset's id for posts with these options; "" for the default that fits."""
        ...


@runtime_checkable
class Abandons(Protocol):
    """A publisher some of whose uploads hold something of the account's until they are ended."""

    async def abandon(
        self, http: httpx.AsyncClient, account: Account, progress: Mapping[str, Mapping[str, JSON]]
    ) -> str:
        """Ends what prepare() began, by what it saved, and nobody will go on with. Repeatable.

        Returns what was ended, for the log; "" if there was nothing. Whatever it raises is noted, and that is all.
        """
        ...
