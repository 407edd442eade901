"""V8: files nobody can decode, among many that can be, on the real stores; only decoding is played."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mediaapi.v1 import media_pb2

from services.common.errors import Code, MediaError
from services.transcoder.domain.work import InputFault, Progress, WorkRequest, WorkResult
from services.transcoder.ports import Ref
from tests.integration.transcoder.conftest import Stage
from tests.unit.transcoder.stage.fakes import Engine

GOOD = 95
BREAKS, TAKES_TOO_LONG = b"breaks the decoder", b"takes too long"
POISONS = {BREAKS: (1, "media_too_complex"), TAKES_TOO_LONG: (2, "processing_failed")}


@dataclass
class Poisonable(Engine):
    """Ends as a confined child would: killed over its limits, or at its deadline. Counts how often it did."""

    ended: Counter[bytes] = field(default_factory=Counter)

    async def run(self, request: WorkRequest, scratch: Path, *, deadline_s: float, progress: Progress) -> WorkResult:
        data = Path(request.source).read_bytes()
        result = await super().run(request, scratch, deadline_s=deadline_s, progress=progress)
        self.ended[data] += 1
        if data.startswith(BREAKS):
            raise InputFault(Code.MEDIA_TOO_COMPLEX, "ended by signal 24")
        if data.startswith(TAKES_TOO_LONG):
            raise MediaError(Code.DEADLINE_EXCEEDED, why="nothing after 60 s")
        return result


async def test_v8_poisons_end_with_a_code_after_two_tries_and_keep_nobody_waiting(stage: Stage) -> None:
    engine = Poisonable()
    stage = stage.rebuilt(engine=engine)
    async with stage.running() as ears:
        poisons = {}
        good = []
        for number in range(GOOD // 19):
            for poison in POISONS:
                event = stage.source("image", poison + bytes([number]))
                poisons[event.subject_id] = poison
                await ears.say(event)
            for _ in range(19):
                event = stage.source("image")
                good.append(event.subject_id)
                await ears.say(event)
        said = {}
        for media_id in (*good, *poisons):
            said[media_id] = (await ears.settled(Ref(stage.workspace_id, media_id), within_s=90)).media_rendered
    tries = {data: count for data, count in engine.ended.items() if data[:-1] in POISONS}
    assert tries == {data: POISONS[data[:-1]][0] for data in tries}
    assert (len(tries), len(engine.ended)) == (len(poisons), len(poisons) + len(good))
    ready = {media_pb2.VARIANT_STATUS_READY}
    assert all({one.status for one in said[media_id].variants} == ready for media_id in good)
    assert {media_id: said[media_id].error.code for media_id in poisons} == {
        media_id: POISONS[poison][1] for media_id, poison in poisons.items()
    }
