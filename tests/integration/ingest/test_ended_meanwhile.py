"""An upload is deleted, or runs out, between any two steps of its writer: no multipart upload stays open."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from services.common.errors import Code, MediaError
from services.ingest.domain.upload import Upload
from services.ingest.ports import UploadRef
from tests.integration.ingest.conftest import Stage
from tests.integration.ingest.test_resuming_for_real import begin, late, leases_run_out, mortal, send, video
from tests.unit.ingest.courses import Fault

SIZE_BYTES = 11 << 20


class Meanwhile(Fault):
    """At one call to the outside, before it has its effect, somebody else acts."""

    def __init__(self, at: int, act: Callable[[], Awaitable[None]]) -> None:
        super().__init__("none", at)
        self.act = act
        self.acted = False

    async def pass_through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.calls == self.at:
            self.calls += 1
            self.acted = True
            await self.act()
            return await call()
        return await super().pass_through(call)


async def delete(stage: Stage, ref: UploadRef) -> None:
    await stage.ingest.resuming.delete(ref)


async def expire(stage: Stage, ref: UploadRef) -> None:
    """The writer's lease is over too, or the sweeper would leave it alone."""
    stage.sql("UPDATE ingest.uploads SET expires_at = now() - interval '1 second' WHERE id = %s", ref.upload_id)
    leases_run_out(stage)
    await stage.ingest.upload_sweeping.ended()


async def written(stage: Stage, ref: UploadRef, data: bytes, fault: Fault) -> Upload | MediaError:
    try:
        return await send(mortal(stage, fault), ref, data, 0, len(data))
    except MediaError as error:
        return error


@pytest.mark.parametrize(("end", "code"), [(delete, Code.UPLOAD_NOT_FOUND), (expire, Code.UPLOAD_EXPIRED)])
@pytest.mark.parametrize("share", [0.9, 1.0], ids=["in-the-middle", "at-its-end"])
@pytest.mark.timeout(300)
async def test_ended_between_any_two_steps_nothing_stays(
    stage: Stage, end: Callable[[Stage, UploadRef], Awaitable[None]], code: Code, share: float
) -> None:
    data = video(SIZE_BYTES)
    piece = data[: int(share * len(data))]
    undisturbed = Fault("none", 0)
    ref = await begin(stage, data)
    upload = await written(stage, ref, piece, undisturbed)
    assert isinstance(upload, Upload)
    await stage.ingest.resuming.delete(ref)
    await stage.world.quarantine.delete_prefix(f"{upload.media_id}/")  # the item, where it has become one
    assert undisturbed.calls > 6
    refused = 0
    for at in range(1, undisturbed.calls):  # by the first call it takes the upload
        ref = await begin(stage, data)
        meanwhile = Meanwhile(at, partial(end, stage, ref))
        outcome = await written(stage, ref, piece, meanwhile)
        if isinstance(outcome, Upload):
            # Its guard calls too, now and then, so that the step is not reached, or lies behind what was written last:
            # the answer was on its way already.
            await stage.ingest.resuming.delete(ref)
            await stage.world.quarantine.delete_prefix(f"{outcome.media_id}/")
        else:
            refused += 1
            assert outcome.code is code, f"step {at}: {outcome}"
        late(stage)
        await stage.ingest.upload_sweeping.ended()
        assert stage.stored_nothing(), f"step {at} left something"
        assert stage.sql("SELECT in_store FROM ingest.uploads WHERE id = %s", ref.upload_id) == [(False,)]
    assert refused >= 4
