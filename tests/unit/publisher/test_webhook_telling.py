"""What stages tell each other becomes what customers are told, once, and only if it is so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.publisher.app.webhooks.ports import AccountResource, PostResource, Receipt
from services.publisher.app.webhooks.telling import Heard, Tell
from services.publisher.domain.post import JSON, PostStatus, TargetStatus
from services.publisher.domain.webhooks.events import OFFERED, EventType, News

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


@dataclass
class World:
    """Plays both ports: what is there, who wants what, and what was told."""

    items: dict[str, Mapping[str, JSON]] = field(default_factory=dict)
    posts: dict[str, PostResource] = field(default_factory=dict)
    accounts: dict[str, AccountResource] = field(default_factory=dict)
    wants: frozenset[str] = frozenset(OFFERED)
    told: list[News] = field(default_factory=list)
    asked: int = 0

    async def wanted(self, workspace_id: str) -> frozenset[str]:
        return self.wants

    async def tell(self, workspace_id: str, receipt: Receipt, news: Sequence[News]) -> int:
        self.told += news
        return len(news)

    async def media(self, media_id: str) -> Mapping[str, JSON] | None:
        self.asked += 1
        return self.items.get(media_id)

    async def post(self, workspace_id: str, post_id: str) -> PostResource | None:
        self.asked += 1
        return self.posts.get(post_id)

    async def account(self, workspace_id: str, account_id: str) -> AccountResource | None:
        self.asked += 1
        return self.accounts.get(account_id)

    @property
    def use_cases(self) -> Tell:
        return Tell(self, self)

    @property
    def kinds(self) -> list[EventType]:
        return [news.type for news in self.told]


def heard(subject_id: str, version: int = 1) -> Heard:
    return Heard(
        receipt=Receipt("c", "evt_1"), workspace_id="ws_1", subject_id=subject_id, version=version, happened_at=NOW
    )


async def test_a_settled_item_is_told_as_what_it_is_now() -> None:
    for status, kind in (("ready", "media.ready"), ("rejected", "media.rejected"), ("failed", "media.failed")):
        world = World(items={"med_1": {"id": "med_1", "status": status}})
        await world.use_cases.media_settled(heard("med_1"))
        assert world.kinds == [kind]
        assert world.told[0].data == world.items["med_1"]
        assert world.told[0].live is None


async def test_what_is_not_so_is_not_told() -> None:
    world = World(items={"med_1": {"id": "med_1", "status": "processing"}})
    await world.use_cases.media_settled(heard("med_1"))
    await world.use_cases.media_settled(heard("med_gone"))
    await world.use_cases.media_gone(heard("med_1"), expired=False)
    await world.use_cases.media_gone(heard("med_1"), expired=True)
    await world.use_cases.post_settled(heard("post_unknown"))
    assert world.told == []


async def test_an_item_that_is_gone_is_told_by_its_id_alone() -> None:
    world = World()
    await world.use_cases.media_gone(heard("med_1"), expired=False)
    await world.use_cases.media_gone(heard("med_2"), expired=True)
    assert [(news.type, news.data) for news in world.told] == [
        (EventType.MEDIA_DELETED, {"id": "med_1"}),
        (EventType.MEDIA_EXPIRED, {"id": "med_2"}),
    ]


async def test_each_failed_variant_has_a_cause_of_its_own_whatever_event_names_it() -> None:
    world = World()
    variants: list[Mapping[str, JSON]] = [
        {"preset": "one.a", "status": "failed"},
        {"preset": "one.b", "status": "failed"},
    ]
    await world.use_cases.variants_failed(heard("med_1", version=1), variants[:1])
    await world.use_cases.variants_failed(heard("med_1", version=2), variants)
    assert len({news.cause for news in world.told}) == 2
    assert world.told[0].data == {"mediaId": "med_1", "preset": "one.a", "status": "failed"}


async def test_a_post_is_told_in_its_mode_and_anew_when_it_settles_again() -> None:
    post = PostResource(live=False, status=PostStatus.FAILED, targets=[TargetStatus.FAILED], json={"id": "post_1"})
    world = World(posts={"post_1": post})
    await world.use_cases.post_settled(heard("post_1", version=2))
    await world.use_cases.post_settled(heard("post_1", version=2))
    await world.use_cases.post_settled(heard("post_1", version=4))
    assert {news.live for news in world.told} == {False}
    assert len({news.cause for news in world.told}) == 2


async def test_where_nobody_wants_to_hear_nothing_is_asked() -> None:
    world = World(wants=frozenset(), items={"med_1": {"id": "med_1", "status": "ready"}})
    use_cases = world.use_cases
    await use_cases.media_settled(heard("med_1"))
    await use_cases.media_gone(heard("med_2"), expired=False)
    await use_cases.variants_failed(heard("med_1"), [{"preset": "one.a"}])
    await use_cases.post_settled(heard("post_1"))
    await use_cases.account_invalid(heard("acc_1"))
    assert (world.told, world.asked) == ([], 0)
