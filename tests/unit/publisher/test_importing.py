"""Files that posts name by URL: what may be asked for, and what becomes of them."""

import asyncio
from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.publisher.app.importing import RETRY_S, Importer
from services.publisher.domain import request
from services.publisher.domain.post import TargetStatus
from services.publisher.domain.request import MediaInput, PostChange, PostInput, TargetInput
from services.publisher.ports import ImportClaim
from tests.unit.publisher.bench import ACCOUNT_ID, Bench
from tests.unit.publisher.fakes import ALICE, START, Clock, FakeImports, FakeMedia

URL = "https://cdn.example.com/photo.jpg"
TARGETS = (TargetInput(account_id=ACCOUNT_ID),)


def claim(**changed: object) -> ImportClaim:
    about: dict[str, object] = {
        "workspace_id": "ws_a", "post_id": "post_1", "import_id": "imp_1", "epoch": 1, "url": URL, "kind": "image",
        "alt_text": "A chair.", "plan": "pro", "live": False, "request_id": "req_1", "due_at": START, "tries": 0,
        "wanted": True,
    }  # fmt: skip
    return ImportClaim(**{**about, **changed})  # type: ignore[arg-type]


class Fetching:
    """The worker over fakes."""

    def __init__(self, found: bytes | MediaError = b"jpeg") -> None:
        self.media, self.imports = FakeMedia(), FakeImports()
        self.media.elsewhere[URL] = found
        self.importer = Importer(self.imports, self.media, now=Clock())


class TestFetching:
    async def test_a_file_is_stored_held_and_given_to_the_post(self) -> None:
        fetching = Fetching()
        await fetching.importer.fetch(claim())
        assert fetching.imports.ends == ["med_imported1"]
        assert fetching.media.items["med_imported1"].alt_text == "A chair."
        assert fetching.media.pins == {("med_imported1", "post_1")}

    async def test_who_comes_after_a_process_that_died_gets_what_that_one_stored(self) -> None:
        fetching = Fetching()
        await fetching.importer.fetch(claim())
        await fetching.importer.fetch(claim(epoch=2))
        assert fetching.imports.ends == ["med_imported1"] * 2

    async def test_a_post_that_changed_meanwhile_holds_nothing(self) -> None:
        fetching = Fetching()
        fetching.imports.wanted = False
        await fetching.importer.fetch(claim())
        assert fetching.media.pins == set()

    async def test_nothing_is_fetched_for_a_post_that_came_to_its_end(self) -> None:
        fetching = Fetching()
        await fetching.importer.fetch(claim(wanted=False))
        assert (fetching.media.imported, fetching.imports.ends) == ([], ["post_settled"])

    async def test_what_may_pass_is_tried_again_and_then_told(self) -> None:
        fetching = Fetching(MediaError(Code.MEDIA_URL_UNREACHABLE, reason="its server answered 404"))
        for tries in range(len(RETRY_S) + 1):
            await fetching.importer.fetch(claim(tries=tries))
        assert fetching.imports.ends == [*RETRY_S, "media_url_unreachable"]

    @pytest.mark.parametrize("code", [Code.MEDIA_URL_NOT_ALLOWED, Code.MEDIA_TYPE_UNSUPPORTED, Code.QUOTA_EXCEEDED])
    async def test_what_stays_wrong_is_told_at_once(self, code: Code) -> None:
        fetching = Fetching(MediaError(code))
        await fetching.importer.fetch(claim())
        assert fetching.imports.ends == [code.value]

    async def test_a_worker_that_stops_puts_its_files_back(self) -> None:
        fetching = Fetching()

        async def hangs(*_: object) -> None:
            await asyncio.Event().wait()

        fetching.media.import_url = hangs  # type: ignore[assignment,method-assign]
        fetching.imports.due.append(claim())
        running = asyncio.create_task(fetching.importer.run())
        async with asyncio.timeout(60):
            while fetching.imports.due:  # noqa: ASYNC110  until it is taken
                await asyncio.sleep(0)
        await fetching.importer.stop(0)
        await running
        assert fetching.imports.ends == [0.0]


class TestAsking:
    @pytest.mark.parametrize(
        "url", ["", "photo.jpg", "ftp://example.com/a", "https://", "https://a b/", "https://[::1", "https://x:99999/",
                "https://u:p@example.com/a.jpg", "https://example.com/" + "a" * 5000, "https://example.com/\n", "a\0b"],
    )  # fmt: skip
    def test_what_is_no_url_of_a_file_is_named(self, url: str) -> None:
        found = request.problems(PostInput(targets=TARGETS, media=[MediaInput(url=url)]), START)
        assert {problem.field for problem in found} == {"media[0].url"}

    @pytest.mark.parametrize("more", [{"media_id": "med_1"}, {"data": b"x"}, {"media_id": "med_1", "data": b"x"}])
    def test_one_way_to_name_media_is_enough(self, more: dict[str, object]) -> None:
        item = MediaInput(url=URL, **more)  # type: ignore[arg-type]
        [problem] = request.problems(PostInput(targets=TARGETS, media=[item]), START)
        assert problem.field == "media[0]"

    async def test_the_answer_waits_for_no_fetch_and_targets_wait_for_their_file(self) -> None:
        bench = Bench()
        post = await bench.post(media=[MediaInput(url=URL), MediaInput(url=URL, alt_text="Again.")])
        assert bench.media.imported == []
        [ref] = post.imports()
        assert (ref.url, post.media_ids(), len(post.media)) == (URL, (), 2)
        assert post.targets[0].status is TargetStatus.WAITING_MEDIA
        assert await bench.work() == [bench.world.policy.wait_s[0]]
        assert bench.paper.published == []

    async def test_a_change_keeps_what_is_being_fetched(self) -> None:
        bench = Bench()
        later = bench.now() + timedelta(days=1)
        post = await bench.post(media=[MediaInput(url=URL, kind="image")], scheduled_at=later)
        change = PostChange(wanted=PostInput(text="other words"), given=frozenset({"text"}))
        changed = await bench.app.change_posts.update(ALICE, post.post_id, change, plan="pro", request_id="req_2")
        assert (changed.text, changed.imports()) == ("other words", post.imports())
