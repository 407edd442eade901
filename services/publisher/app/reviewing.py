"""The one check behind creating, changing and validating a post: all its problems at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import Code, MediaError, Violation
from services.publisher.app.checking import Checker
from services.publisher.app.resolving import Resolver
from services.publisher.domain import plans, request
from services.publisher.domain.account import Account
from services.publisher.domain.request import PostInput
from services.publisher.ports import Caller, MediaFacts, MediaSource, Posts

UNUSABLE = frozenset({"rejected", "failed"})


@dataclass(frozen=True, slots=True)
class Review:
    """What was found of a request.

    Attributes:
        accounts: Of each target, None where there is a problem.
        facts: By media id, of the items that can be used.
        problems: Everything that is wrong, what is missing too.
        refusal: The first account or item that is missing or unusable, as the error it is by itself.
    """

    accounts: Sequence[Account | None]
    facts: Mapping[str, MediaFacts]
    problems: Sequence[Violation]
    refusal: MediaError | None


class Reviewer:
    """Looks up what a request names, and asks every platform's check."""

    def __init__(
        self, *, media: MediaSource, resolver: Resolver, checker: Checker, now: Callable[[], datetime]
    ) -> None:
        self._media = media
        self._resolver = resolver
        self._checker = checker
        self._now = now

    async def approve(self, caller: Caller, wanted: PostInput) -> Review:
        """A review without problems.

        Raises:
            MediaError: POST_INVALID with every problem, INLINE_MEDIA_INVALID, MEDIA_NOT_FOUND, MEDIA_REJECTED,
                ACCOUNT_NOT_FOUND.
        """
        if violations := request.inline_problems(wanted):
            raise MediaError(Code.INLINE_MEDIA_INVALID, violations=violations)
        if problems := request.problems(wanted, self._now()):
            if request.can_be_looked_up(wanted):
                problems += (await self._review(caller, wanted)).problems
            raise MediaError(Code.POST_INVALID, violations=list(dict.fromkeys(problems)))
        review = await self._review(caller, wanted)
        if review.refusal is not None:
            raise review.refusal
        if review.problems:
            raise MediaError(Code.POST_INVALID, violations=review.problems)
        return review

    async def problems(self, caller: Caller, wanted: PostInput) -> list[Violation]:
        """Everything `approve` could object to, in one list."""
        found = [*request.inline_problems(wanted), *request.problems(wanted, self._now())]
        if request.can_be_looked_up(wanted):
            found += (await self._review(caller, wanted)).problems
        return list(dict.fromkeys(found))

    async def _review(self, caller: Caller, wanted: PostInput) -> Review:
        resolved = await self._resolver.resolve(caller, wanted.targets)
        named = list(dict.fromkeys(item.media_id for _, item in wanted.all_media() if item.media_id))
        looked = dict(zip(named, await asyncio.gather(*(self._look(it) for it in named)), strict=True))
        facts = {media_id: found for media_id, found in looked.items() if isinstance(found, MediaFacts)}
        refusals = {media_id: found for media_id, found in looked.items() if isinstance(found, MediaError)}
        problems = [
            *resolved.problems,
            *(
                Violation(f"{path}.mediaId", refusals[item.media_id].message)
                for path, item in wanted.all_media()
                if item.media_id in refusals
            ),
            *self._checker.problems(wanted, resolved.accounts, facts, self._now()),
        ]
        refusal = next(iter((*filter(None, (resolved.refusal,)), *refusals.values())), None)
        return Review(resolved.accounts, facts, problems, refusal)

    async def _look(self, media_id: str) -> MediaFacts | MediaError:
        try:
            return usable(await self._media.get(media_id))
        except MediaError as exc:
            if exc.code not in (Code.MEDIA_NOT_FOUND, Code.MEDIA_REJECTED):
                raise
            return exc


class ValidatePost:
    """Use case: everything that is wrong with a post, and nothing kept."""

    def __init__(self, reviewer: Reviewer, posts: Posts, now: Callable[[], datetime]) -> None:
        self._reviewer = reviewer
        self._posts = posts
        self._now = now

    async def __call__(self, caller: Caller, wanted: PostInput, *, plan: str) -> list[Violation]:
        """Every problem CreatePost would refuse it for; none: it would be accepted now."""
        problems = await self._reviewer.problems(caller, wanted)
        try:
            await keep_to_plan(self._posts, caller, wanted, plan=plan, now=self._now())
        except MediaError as exc:
            if exc.code is not Code.QUOTA_EXCEEDED:
                raise
            problems.append(Violation("targets", exc.message))
        return problems


async def keep_to_plan(posts: Posts, caller: Caller, wanted: PostInput, *, plan: str, now: datetime) -> None:
    """Raises QUOTA_EXCEEDED when the plan has no room in the month the post is due in."""
    month = plans.due_period(now, wanted.scheduled_at)
    spent = await posts.spent(caller, month)
    plans.check(plan, month, now=now, used=spent.used, open_targets=spent.open_targets, wanted=len(wanted.targets))


def usable(facts: MediaFacts) -> MediaFacts:
    """The same. Raises MEDIA_REJECTED for what can never be published."""
    if facts.status in UNUSABLE:
        raise MediaError(Code.MEDIA_REJECTED, media_id=facts.media_id)
    return facts
