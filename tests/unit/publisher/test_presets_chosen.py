"""Which preset a target's media are asked for."""

from collections.abc import Mapping

from services.platforms.ports import JSON
from services.publisher.domain.post import TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from tests.unit.publisher.bench import ACCOUNT_ID, Bench, Paper

PHOTO = (MediaInput(media_id="med_1"),)


class Wallpaper(Paper):
    """A platform whose posters are of another size."""

    def preset(self, options: Mapping[str, JSON]) -> str:
        """As ports.ChoosesPresets."""
        return "paper.poster" if options.get("as") == "poster" else ""


async def asked(paper: Paper, options: Mapping[str, JSON]) -> list[str]:
    """The presets asked for until such a post is published."""
    bench = Bench(paper=paper)
    bench.media.add("med_1")
    post = await bench.post(media=PHOTO, targets=[TargetInput(account_id=ACCOUNT_ID, options=options)])
    assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
    return bench.variants.presets


async def test_a_platform_may_choose_by_the_options() -> None:
    assert await asked(Wallpaper(), {"as": "poster"}) == ["paper.poster"]
    assert await asked(Wallpaper(), {}) == [""]


async def test_most_platforms_take_what_fits() -> None:
    assert await asked(Paper(), {"as": "poster"}) == [""]
