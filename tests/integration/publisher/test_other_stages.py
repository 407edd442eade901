"""What the publisher makes of the other stages' answers, over the wire."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from mediaapi.v1 import media_pb2, transcoder_service_pb2_grpc
from mediaapi.v1 import transcoder_service_pb2 as pb

from services.common import context, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.publisher.adapters.stages import ENSURE_WAIT_S, TranscoderVariants
from services.publisher.ports import Pending, Ready, Refused

PENDING, PROCESSING, READY, REJECTED, FAILED = (
    media_pb2.VARIANT_STATUS_PENDING,
    media_pb2.VARIANT_STATUS_PROCESSING,
    media_pb2.VARIANT_STATUS_READY,
    media_pb2.VARIANT_STATUS_REJECTED,
    media_pb2.VARIANT_STATUS_FAILED,
)


class Transcoder(transcoder_service_pb2_grpc.TranscoderServiceServicer):
    """Answers what a test says."""

    answer: pb.EnsureVariantResponse | MediaError
    asked: pb.EnsureVariantRequest
    caller: CallContext

    async def EnsureVariant(self, request: pb.EnsureVariantRequest, context_: Any) -> pb.EnsureVariantResponse:  # noqa: N802
        self.asked, self.caller = request, context.current()
        if isinstance(self.answer, MediaError):
            raise self.answer
        return self.answer

    async def CreateVariant(self, request: pb.CreateVariantRequest, context_: Any) -> media_pb2.Variant:  # noqa: N802
        raise MediaError(Code.NOT_FOUND)  # nothing the publisher calls


@pytest.fixture
async def transcoder() -> AsyncIterator[tuple[Transcoder, TranscoderVariants]]:
    served = Transcoder()
    server = grpc.aio.server(interceptors=[rpc.ServerInterceptor()])
    transcoder_service_pb2_grpc.add_TranscoderServiceServicer_to_server(served, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.channel(f"127.0.0.1:{port}") as channel:
        with context.use(CallContext("ws_1", "req_1")):
            yield served, TranscoderVariants(channel)
    await server.stop(None)


def variant(status: media_pb2.VariantStatus.ValueType, **more: object) -> media_pb2.Variant:
    return media_pb2.Variant(preset="p.video", status=status, **more)  # type: ignore[arg-type]


def made(preset: str = "p.video") -> media_pb2.Variant:
    return media_pb2.Variant(
        preset=preset, status=READY, url=f"https://cdn.example/cdn/med_1/t/{preset}", content_type="video/mp4",
        size_bytes=1234, width=1280, height=720, duration_seconds=4.5,
    )  # fmt: skip


Served = tuple[Transcoder, TranscoderVariants]


async def ensured(transcoder: Served, answer: pb.EnsureVariantResponse | MediaError) -> Ready | Pending | Refused:
    transcoder[0].answer = answer
    return await transcoder[1].ensure("med_1", "p")


async def test_a_preset_is_asked_for_by_its_id_and_a_cover_by_its_moment(transcoder: Served) -> None:
    await ensured(transcoder, pb.EnsureVariantResponse(variant=made()))
    asked = transcoder[0].asked
    assert (asked.preset, asked.HasField("thumbnail_time")) == ("", False)
    await transcoder[1].ensure("med_1", "p", "p.video", thumbnail_time=0.0)
    asked = transcoder[0].asked
    assert (asked.preset, asked.HasField("thumbnail_time"), asked.thumbnail_time) == ("p.video", True, 0.0)


async def test_a_variant_that_is_there_is_told_with_its_numbers(transcoder: Served) -> None:
    found = await ensured(transcoder, pb.EnsureVariantResponse(variant=made()))
    assert isinstance(found, Ready)
    rendition = found.rendition
    assert (rendition.preset, rendition.size_bytes, rendition.width, rendition.duration_s) == (
        "p.video",
        1234,
        1280,
        4.5,
    )
    assert (rendition.url, found.cover) == ("https://cdn.example/cdn/med_1/t/p.video", None)
    served = transcoder[0]
    assert (served.asked.media_id, served.asked.platform, served.caller.workspace_id) == ("med_1", "p", "ws_1")
    assert served.caller.wait_s == ENSURE_WAIT_S


@pytest.mark.parametrize("status", [PENDING, PROCESSING])
async def test_one_under_way_is_pending_and_so_is_one_whose_cover_is(
    transcoder: Served, status: media_pb2.VariantStatus.ValueType
) -> None:
    assert await ensured(transcoder, pb.EnsureVariantResponse(variant=variant(status))) == Pending()
    answer = pb.EnsureVariantResponse(variant=made(), cover=variant(status))
    assert await ensured(transcoder, answer) == Pending()


@pytest.mark.parametrize(("status", "reason"), [(REJECTED, "duration_too_short"), (FAILED, "processing_failed")])
async def test_one_that_cannot_be_is_refused_with_the_reason(
    transcoder: Served, status: media_pb2.VariantStatus.ValueType, reason: str
) -> None:
    found = await ensured(transcoder, pb.EnsureVariantResponse(variant=variant(status, reason=reason)))
    assert isinstance(found, Refused)
    assert found.error.code == reason


async def test_a_video_goes_with_its_cover_or_without_one_that_cannot_be(transcoder: Served) -> None:
    found = await ensured(transcoder, pb.EnsureVariantResponse(variant=made(), cover=made("p.cover")))
    assert isinstance(found, Ready)
    assert found.cover is not None
    assert found.cover.preset == "p.cover"
    found = await ensured(transcoder, pb.EnsureVariantResponse(variant=made(), cover=variant(FAILED)))
    assert isinstance(found, Ready)
    assert found.cover is None


@pytest.mark.parametrize("code", [Code.MEDIA_NOT_READY, Code.MEDIA_NOT_FOUND, Code.MEDIA_REJECTED])
async def test_an_error_is_the_transcoders_own(transcoder: Served, code: Code) -> None:
    with pytest.raises(MediaError) as caught:
        await ensured(transcoder, MediaError(code, media_id="med_1"))
    assert caught.value.code is code
