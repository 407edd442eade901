"""The scanner stage, by RPC."""

import grpc.aio
from mediaapi.v1 import scanner_service_pb2, scanner_service_pb2_grpc

from services.common.errors import Code, MediaError
from services.ingest.domain.media import Sealed
from services.ingest.ports import Outcome, Verdict

# The scanner's own deadline is 60 s and 2 MB/s; this one only has to be longer.
DEADLINE_S = 90.0
SLOWEST_BYTES_PER_S = 2_000_000

_OUTCOMES = {
    scanner_service_pb2.VERDICT_CLEAN: Outcome.CLEAN,
    scanner_service_pb2.VERDICT_INFECTED: Outcome.INFECTED,
    scanner_service_pb2.VERDICT_UNSCANNABLE: Outcome.UNSCANNABLE,
    scanner_service_pb2.VERDICT_MALFORMED: Outcome.MALFORMED,
}


class ScannerStage:
    """ports.Scanner over ScannerService."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = scanner_service_pb2_grpc.ScannerServiceStub(channel)

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        """See ports.Scanner. A verdict this version does not know decides nothing."""
        request = scanner_service_pb2.ScanObjectRequest(
            key=sealed.key, etag=sealed.etag, size_bytes=sealed.size_bytes, content_type=content_type
        )
        answer = await self._stub.ScanObject(request, timeout=DEADLINE_S + sealed.size_bytes / SLOWEST_BYTES_PER_S)
        outcome = _OUTCOMES.get(answer.verdict)
        if outcome is None:
            raise MediaError(Code.SCANNER_UNAVAILABLE, why=f"verdict {answer.verdict}")
        about = Sealed(sealed.key, sealed.etag, answer.size_bytes, answer.sha256)
        return Verdict(outcome, answer.threat, about, _code(answer.code) if outcome is Outcome.MALFORMED else None)


def _code(name: str) -> Code:
    """A newer scanner may know more codes: then it is damaged, as far as anybody here can say."""
    return Code(name) if name in Code.__members__.values() else Code.MEDIA_CORRUPT
