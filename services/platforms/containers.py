"""Posts as Meta's Graph makes them: a container that fetches its media by URL, waited for, then published by its id.

A container is published once at most, which makes its id the handle of a second try; it lasts 24 hours, hence is made
when the post is due. Sources, read 2026-10-10: developers.facebook.com/docs/instagram-platform/content-publishing,
…/docs/threads/posts.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.platforms.calls import answered_without, at, body, list_at, number_at, once, text_at
from services.platforms.graph import BUSY, Graph, refusal
from services.platforms.ports import (
    JSON,
    Absent,
    CannotTell,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Progress,
    Receipt,
)  # fmt: skip

STEP = "container"
IMAGE_POLL_S, VIDEO_POLL_S = 2.0, 10.0  # Meta asks for a poll a minute at most of what takes minutes
MARGIN = timedelta(seconds=60)  # between our clock and Meta's
LISTED_WITHIN = timedelta(minutes=2)  # a post that is published and not listed by then has no address for us


@dataclass(frozen=True, slots=True)
class Wanted:
    """A post's containers. Each is a form; `root` gets the children's ids where there are any.

    slow: whether videos are among them.
    """

    root: Mapping[str, str]
    children: Sequence[Mapping[str, str]]
    slow: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one service names the steps.

    Attributes:
        create, publish: Paths below the user.
        status, reason: Fields of a container.   failed: what a reason means.
        quota: A path below the user, and there the fields of what is used and of what is allowed.
    """

    create: str
    publish: str
    status: str
    reason: str
    failed: Callable[[str], PlatformError]
    quota: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Containers:
    """One account's."""

    graph: Graph
    dialect: Dialect
    user_id: str

    async def bring(self, wanted: Wanted, progress: Progress) -> str:
        """The id of the container, which may now be published.

        Raises PlatformError: NOT_READY while Meta fetches the media; QUOTA, before anything is made.
        """
        poll_s = VIDEO_POLL_S if wanted.slow else IMAGE_POLL_S
        if progress.load(STEP) is None and progress.load(_child(0)) is None:
            await self._within_quota()
        children = [await self._made(_child(n), form, progress) for n, form in enumerate(wanted.children)]
        if progress.load(STEP) is None:
            for child in children:
                await self._finished(child, poll_s)
        root = {**wanted.root, **({"children": ",".join(children)} if children else {})}
        container = await self._made(STEP, root, progress)
        await self._finished(container, poll_s)
        return container

    async def publish(self, container_id: str) -> str:
        """The id of the post. May end as ports.Publisher.publish()."""
        answer = await once(self.graph.send(f"/{self.user_id}{self.dialect.publish}", {"creation_id": container_id}))
        if not answer.is_success:
            raise await self._refused(container_id, refusal(self.graph.service, answer))
        post_id = text_at(body(answer), "id")
        if not post_id:
            raise OutcomeUnknown(f"{self.graph.service.name} answered without the post's id")
        return post_id

    async def _refused(self, container_id: str, error: PlatformError) -> PlatformError | OutcomeUnknown:
        """Meta is known to refuse what it then publishes all the same, so the container has the last word."""
        if (error.fault, error.code) == BUSY:
            return OutcomeUnknown(f"{self.graph.service.name} answered: {error.message}")
        if error.fault in (Fault.ACCOUNT, Fault.QUOTA) or error.code == "rate_limited":
            return error
        try:
            status = await self._status(container_id)
        except PlatformError as exc:
            if exc.fault is Fault.TRANSIENT:
                return OutcomeUnknown(f"refused ({error.code}), and its container was not seen")
            return error
        match status.word:
            case "PUBLISHED":
                return OutcomeUnknown(f"refused ({error.code}), and published all the same")
            case "IN_PROGRESS":
                return PlatformError(Fault.NOT_READY, "media_processing", error.message, retry_after_s=IMAGE_POLL_S)
            case "EXPIRED":
                return PlatformError(Fault.REBUILD, "container_expired", error.message)
            case "ERROR":
                return self.dialect.failed(status.reason)
            case _ if error.fault is Fault.REBUILD:  # what is whole may still come out, so no second one is made
                return PlatformError(Fault.TRANSIENT, error.code, error.message)
            case _:
                return error

    async def outcome(
        self, container_id: str, since: datetime, find: Callable[[datetime], Awaitable[Receipt | None]]
    ) -> Receipt | Absent | CannotTell:
        """What became of a publish() begun at `since`.

        find: Looks for the post among those made since then.
        """
        try:
            status = await self._status(container_id)
        except PlatformError as exc:
            if exc.fault in (Fault.PERMANENT, Fault.REBUILD):
                return CannotTell()
            raise
        match status.word:
            case "PUBLISHED":
                return await _address(find, since)
            case "FINISHED" | "EXPIRED" | "ERROR":  # of the last two, the next try is told so, and makes a new one
                return Absent(safe_to_send=True)
            case _:
                return CannotTell()

    async def _made(self, step: str, form: Mapping[str, str], progress: Progress) -> str:
        saved = progress.load(step)
        if saved is not None:
            return text_at(saved, "id")
        made = text_at(await self.graph.post(f"/{self.user_id}{self.dialect.create}", form), "id")
        if not made:
            name = self.graph.service.name
            raise answered_without(name, "a container's id")
        await progress.save(step, {"id": made})
        return made

    async def _finished(self, container_id: str, poll_s: float) -> None:
        try:
            status = await self._status(container_id)
        except PlatformError as exc:
            if exc.fault is Fault.PERMANENT:
                raise PlatformError(Fault.REBUILD, "container_lost", exc.message) from exc
            raise
        match status.word:
            case "FINISHED" | "PUBLISHED":
                return
            case "ERROR":
                raise self.dialect.failed(status.reason)
            case "EXPIRED":
                raise PlatformError(Fault.REBUILD, "container_expired", "The upload waited for more than a day.")
            case _:
                message = f"{self.graph.service.name} is fetching the media."
                raise PlatformError(Fault.NOT_READY, "media_processing", message, retry_after_s=poll_s)

    async def _status(self, container_id: str) -> "Status":
        fields = f"{self.dialect.status},{self.dialect.reason}"
        found = await self.graph.get(f"/{container_id}", {"fields": fields})
        return Status(text_at(found, self.dialect.status), text_at(found, self.dialect.reason))

    async def _within_quota(self) -> None:
        path, usage, config = self.dialect.quota
        found = at(await self.graph.get(f"/{self.user_id}{path}", {"fields": f"{usage},{config}"}), "data", 0)
        used, total = number_at(found, usage), number_at(found, config, "quota_total")
        if used is not None and total is not None and used >= total:
            message = f"The account has published {used:g} posts in a day; {self.graph.service.name} allows {total:g}."
            raise PlatformError(Fault.QUOTA, "daily_limit", message)


async def _address(find: Callable[[datetime], Awaitable[Receipt | None]], since: datetime) -> Receipt | CannotTell:
    """Of a post that is known to be live, whether or not the account may list its posts."""
    try:
        found = await find(since - MARGIN)
    except PlatformError:
        found = None
    if found is None and datetime.now(UTC) - since > LISTED_WITHIN:
        return Receipt("", None)
    return found or CannotTell()


@dataclass(frozen=True, slots=True)
class Status:
    """A container's. word: IN_PROGRESS, FINISHED, PUBLISHED, ERROR, EXPIRED."""

    word: str
    reason: str


def earliest(found: Mapping[str, JSON], text_field: str, text: str | None, since: datetime) -> Mapping[str, JSON]:
    """Of a list of posts, the first one made at `since` or later that says this; empty if there is none.

    text: None where posts say nothing.
    """
    ours = [
        one
        for one in list_at(found, "data")
        if isinstance(one, dict)
        and (made := _made_at(one)) is not None
        and made >= since
        and (text is None or _plain(text_at(one, text_field)) == _plain(text))
    ]
    return min(ours, key=lambda one: text_at(one, "timestamp"), default={})


def _made_at(found: Mapping[str, JSON]) -> datetime | None:
    try:
        return datetime.fromisoformat(text_at(found, "timestamp"))
    except ValueError:
        return None


def _plain(text: str) -> str:
    return " ".join(text.split())


def _child(index: int) -> str:
    return f"child-{index}"
