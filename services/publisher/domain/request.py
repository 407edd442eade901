"""What a caller asks for, and everything about it that is wrong by itself. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from services.common.errors import Violation
from services.publisher.domain.post import JSON, MAX_INLINE_BYTES, MAX_SCHEDULE_DAYS, MAX_TARGETS, MediaRef, Post

MAX_MEDIA = 20  # per target: the longest carousel any platform takes
MAX_URL_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInput:
    """An item by id, an image by its bytes, or a file by its URL. kind is empty when the caller did not say."""

    media_id: str | None = None
    data: bytes | None = None
    url: str | None = None
    kind: str = ""
    alt_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInput:
    """Where to, and what differs there. An empty platform or account_id was not given; media, when empty, neither."""

    platform: str = ""
    account_id: str = ""
    text: str | None = None
    media: Sequence[MediaInput] = ()
    options: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostInput:
    """A post as asked for."""

    text: str = ""
    targets: Sequence[TargetInput] = ()
    media: Sequence[MediaInput] = ()
    scheduled_at: datetime | None = None

    def all_media(self) -> Iterator[tuple[str, MediaInput]]:
        """Every media input with its field path."""
        for n, item in enumerate(self.media):
            yield f"media[{n}]", item
        for t, target in enumerate(self.targets):
            for n, item in enumerate(target.media):
                yield f"targets[{t}].media[{n}]", item


@dataclass(frozen=True, slots=True, kw_only=True)
class PostChange:
    """What is to be different of a post. `given` names the fields it has; the others stay as they are."""

    wanted: PostInput
    given: frozenset[str]

    def applied_to(self, post: Post) -> PostInput:
        """The post as it is asked for now."""
        whole = PostInput(
            text=post.text,
            media=_inputs(post.media),
            targets=[
                TargetInput(
                    platform=it.platform,
                    account_id=it.account_id,
                    text=it.text,
                    media=_inputs(it.media or ()),
                    options=it.options,
                )
                for it in post.targets
            ],
            scheduled_at=post.scheduled_at,
        )
        return replace(whole, **{name: getattr(self.wanted, name) for name in self.given})


def _inputs(media: Sequence[MediaRef]) -> list[MediaInput]:
    return [
        MediaInput(media_id=ref.media_id, alt_text=ref.alt_text)
        if ref.url is None
        else MediaInput(url=ref.url, kind=ref.kind, alt_text=ref.alt_text)
        for ref in media
    ]


def problems(post: PostInput, now: datetime) -> list[Violation]:
    """Everything that is wrong with the request whatever the accounts and media turn out to be."""
    return [*_nul_problems(post), *_target_problems(post), *_media_problems(post), *_schedule_problems(post, now)]


def can_be_looked_up(post: PostInput) -> bool:
    """Whether what it names is little enough, and such, that accounts and media can be asked for it."""
    lists = (post.media, *(target.media for target in post.targets))
    small = len(post.targets) <= MAX_TARGETS and all(len(items) <= MAX_MEDIA for items in lists)
    return small and not any(_nul_problems(post))


def inline_problems(post: PostInput) -> list[Violation]:
    """What is wrong with bytes given in the request itself."""
    found = []
    for path, item in post.all_media():
        if item.data is None:
            continue
        if not item.data:
            found.append(Violation(f"{path}.data", "is empty"))
        if len(item.data) > MAX_INLINE_BYTES:
            found.append(
                Violation(
                    f"{path}.data",
                    f"is {len(item.data)} B; the limit is {MAX_INLINE_BYTES} B: upload it, and give its mediaId",
                )
            )
        if item.kind not in ("", "image"):
            found.append(Violation(f"{path}.kind", f"is {item.kind}; only images can be given as data"))
    return found


def _nul_problems(post: PostInput) -> Iterator[Violation]:
    """No database column and no platform takes U+0000."""
    texts = [("text", post.text)]
    for n, target in enumerate(post.targets):
        texts += [(f"targets[{n}].text", target.text or ""), (f"targets[{n}].accountId", target.account_id)]
    for path, item in post.all_media():
        texts += [(f"{path}.altText", item.alt_text or ""), (f"{path}.mediaId", item.media_id or "")]
        texts.append((f"{path}.url", item.url or ""))
    for path, text in texts:
        if "\0" in text:
            yield Violation(path, "holds the character U+0000")


def _target_problems(post: PostInput) -> Iterator[Violation]:
    if not 1 <= len(post.targets) <= MAX_TARGETS:
        yield Violation("targets", f"has {len(post.targets)} entries; 1 to {MAX_TARGETS} are allowed")
    for n, target in enumerate(post.targets):
        if (first := post.targets.index(target)) < n:
            yield Violation(f"targets[{n}]", f"says the same as targets[{first}]")


def _media_problems(post: PostInput) -> Iterator[Violation]:
    for path, item in post.all_media():
        if sum(it is not None for it in (item.media_id, item.data, item.url)) != 1:
            yield Violation(path, "needs one of mediaId, data and url")
        if item.media_id == "":
            yield Violation(f"{path}.mediaId", "is empty")
        if item.url is not None and (why := _unusable(item.url)):
            yield Violation(f"{path}.url", why)
    lists = [("media", post.media), *((f"targets[{n}].media", it.media) for n, it in enumerate(post.targets))]
    for path, items in lists:
        if len(items) > MAX_MEDIA:
            yield Violation(path, f"has {len(items)} entries; the limit is {MAX_MEDIA}")


def _unusable(url: str) -> str:
    """Why no file can be fetched from there, as far as its text tells; "" if it may be."""
    if len(url) > MAX_URL_CHARACTERS:
        return f"has {len(url)} characters; the limit is {MAX_URL_CHARACTERS}"
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not url.isprintable() or " " in url:
        return "is no absolute https URL"
    return "holds a user's name or password" if "@" in parts.netloc else ""


def _schedule_problems(post: PostInput, now: datetime) -> Iterator[Violation]:
    latest = now + timedelta(days=MAX_SCHEDULE_DAYS)
    if post.scheduled_at is not None and post.scheduled_at > latest:
        yield Violation("scheduledAt", f"is more than {MAX_SCHEDULE_DAYS} days ahead")
