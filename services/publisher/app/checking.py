"""Everything that is known to be wrong with a post before a platform is asked, for all its targets at once."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import Violation
from services.platforms import catalog, misfits
from services.platforms.ports import Asset, ChoosesPresets, Draft, Problem, Publisher
from services.publisher.domain.account import Account
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import MediaFacts

GIF = b"GIF8"  # what both versions of the format begin with
ANY_OF_KIND = {"image": "image/jpeg", "video": "video/mp4"}


@dataclass(frozen=True, slots=True)
class Item:
    """One media input of one target. content_type is None while nobody has looked at the bytes."""

    path: str
    wanted: MediaInput
    facts: MediaFacts | None
    content_type: str | None

    @property
    def alt_text(self) -> str | None:
        """The post's own, else the item's."""
        if self.wanted.alt_text is not None or self.facts is None:
            return self.wanted.alt_text
        return self.facts.alt_text


@dataclass(frozen=True, slots=True)
class Checked:
    """One target with the account it goes to."""

    index: int
    target: TargetInput
    account: Account
    text: str
    items: Sequence[Item]

    @property
    def path(self) -> str:
        """As in the body of the request."""
        return f"targets[{self.index}]"


class Checker:
    """Asks every platform's own check about drafts made of the request."""

    def __init__(self, publishers: Mapping[str, Publisher]) -> None:
        self._publishers = publishers

    def problems(
        self, wanted: PostInput, accounts: Sequence[Account | None], facts: Mapping[str, MediaFacts], now: datetime
    ) -> list[Violation]:
        """Every problem of every target.

        Args:
            accounts: Of each target; one without is passed over, as its problem is known already.
            facts: By media id. Media that are not looked at yet raise no problem here.
        """
        checked = [
            _checked(n, wanted, target, account, facts)
            for n, (target, account) in enumerate(zip(wanted.targets, accounts, strict=True))
            if account is not None
        ]
        found = [*_wrong_kinds(wanted, facts), *_twice(checked)]
        for target in checked:
            found += _misfits(target, self._chosen(target))
            found += self._refusals(target, wanted.scheduled_at or now)
        return list(dict.fromkeys(found))

    def _chosen(self, checked: Checked) -> str:
        """The preset that the target's options ask for, "" where the platform's default one is used."""
        publisher = self._publishers[checked.account.platform]
        return publisher.preset(checked.target.options) if isinstance(publisher, ChoosesPresets) else ""

    def _refusals(self, checked: Checked, created_at: datetime) -> Iterator[Violation]:
        """What the platform's check says: with media of an unknown type, only what it says whichever type they are."""
        publisher = self._publishers[checked.account.platform]
        unknown = any(item.content_type is None for item in checked.items)
        guesses = tuple(ANY_OF_KIND.values()) if unknown else ("",)
        verdicts = [list(publisher.check(_draft(checked, guess, created_at))) for guess in guesses]
        for problem in verdicts[0]:
            if all(any((it.field, it.rule) == (problem.field, problem.rule) for it in other) for other in verdicts):
                yield _violation(checked, problem)


def _checked(
    n: int, post: PostInput, target: TargetInput, account: Account, facts: Mapping[str, MediaFacts]
) -> Checked:
    prefix, media = (f"targets[{n}].", target.media) if target.media else ("", post.media)
    items = []
    for m, item in enumerate(media):
        known = facts.get(item.media_id) if item.media_id is not None else None
        items.append(Item(f"{prefix}media[{m}]", item, known, _content_type(item, known, account.platform)))
    return Checked(n, target, account, post.text if target.text is None else target.text, items)


def _content_type(item: MediaInput, facts: MediaFacts | None, platform: str) -> str | None:
    """Of the rendition the platform would get."""
    if item.data is not None:
        return "image/gif" if item.data.startswith(GIF) else ANY_OF_KIND["image"]
    if item.url is not None:
        return ANY_OF_KIND.get(item.kind)
    if facts is None or facts.kind not in ANY_OF_KIND:
        return None
    source = facts.content_type or ANY_OF_KIND[facts.kind]
    kind: catalog.Kind = "video" if facts.kind == "video" else "image"
    preset = catalog.presets(kind).get(facts.presets.get(platform, ""))
    if preset is None or source in preset.limits.accept:
        return source
    return preset.limits.accept[0]


def _draft(checked: Checked, guess: str, created_at: datetime) -> Draft:
    return Draft(
        text=checked.text,
        assets=tuple(_asset(item, item.content_type or guess) for item in checked.items),
        options=checked.target.options,
        created_at=created_at,
    )


def _asset(item: Item, content_type: str) -> Asset:
    facts = item.facts
    return Asset(
        preset="",
        content_type=content_type,
        size_bytes=facts.size_bytes if facts else 0,
        width=(facts.width if facts else None) or 0,
        height=(facts.height if facts else None) or 0,
        duration_s=facts.duration_s if facts else None,
        alt_text=item.alt_text,
        url="",
        read=_no_bytes,
    )


async def _no_bytes() -> AsyncIterator[bytes]:
    """A check comes before the rendition."""
    raise LookupError("a draft under check has no bytes")
    yield b""


def _violation(checked: Checked, problem: Problem) -> Violation:
    sentence = f"{problem.message} ({problem.rule})"
    if checked.target.media or not problem.field.startswith("media"):
        return Violation(f"{checked.path}.{problem.field}", sentence)
    # The media are the post's, so the field does not say whose problem it is.
    return Violation(problem.field, f"{checked.path} ({checked.account.platform}): {sentence}")


def _misfits(checked: Checked, chosen: str) -> Iterator[Violation]:
    for item in checked.items:
        if item.facts is None:
            continue
        why = _misfit(item.facts, chosen) if chosen else item.facts.misfits.get(checked.account.platform)
        if why is not None:
            sentence = f"{checked.path} ({checked.account.platform}) cannot take it: {why} (media_unfit)"
            yield Violation(f"{item.path}.mediaId", sentence)


def _misfit(facts: MediaFacts, preset_id: str) -> str | None:
    """Why this preset cannot be made of it, as far as is known; ingest tells of the default presets only."""
    if facts.kind not in ANY_OF_KIND or not (facts.width and facts.height) or preset_id not in catalog.presets():
        return None
    kind: catalog.Kind = "video" if facts.kind == "video" else "image"
    preset = catalog.presets(kind).get(preset_id)
    if preset is None:
        return f"{preset_id} is not made from such media"
    found = None if preset.params.get("pad") else misfits.of_shape(preset.limits, facts.width, facts.height)
    if found is None and preset.makes == "video" and facts.duration_s is not None:
        found = misfits.of_length(preset.limits, facts.duration_s)
    return found.detail if found is not None else None


def _wrong_kinds(post: PostInput, facts: Mapping[str, MediaFacts]) -> Iterator[Violation]:
    for path, item in post.all_media():
        known = facts.get(item.media_id) if item.media_id is not None else None
        if known is not None and known.kind in ANY_OF_KIND and item.kind not in ("", known.kind):
            yield Violation(f"{path}.kind", f"is {item.kind}; {known.media_id} is of kind {known.kind}")


def _twice(targets: Sequence[Checked]) -> Iterator[Violation]:
    """Targets that differ in how they name an account, and in nothing else."""
    seen: list[tuple[object, ...]] = []
    for checked in targets:
        media = [item.wanted for item in checked.items]
        same = (checked.account.account_id, checked.text, media, checked.target.options)
        if same in seen:
            yield Violation(checked.path, f"publishes the same on {checked.account.account_id} as another target")
        seen.append(same)
