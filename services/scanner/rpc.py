"""ScannerService over app.Scanner."""

from typing import Any, TypeAlias

import grpc
from mediaapi.v1 import scanner_service_pb2, scanner_service_pb2_grpc

from services.scanner.app import Scanner
from services.scanner.domain import Outcome

Rpc: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_VERDICTS = {
    Outcome.CLEAN: scanner_service_pb2.VERDICT_CLEAN,
    Outcome.INFECTED: scanner_service_pb2.VERDICT_INFECTED,
    Outcome.UNSCANNABLE: scanner_service_pb2.VERDICT_UNSCANNABLE,
    Outcome.MALFORMED: scanner_service_pb2.VERDICT_MALFORMED,
}


class ScannerRpc(scanner_service_pb2_grpc.ScannerServiceServicer):
    """One RPC, one call."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    async def ScanObject(  # noqa: N802  the proto names it
        self, request: scanner_service_pb2.ScanObjectRequest, context: Rpc
    ) -> scanner_service_pb2.ScanObjectResponse:
        """See ScannerService.ScanObject."""
        report = await self._scanner.scan(request.key, request.etag, request.size_bytes, request.content_type)
        return scanner_service_pb2.ScanObjectResponse(
            verdict=_VERDICTS[report.finding.outcome],
            threat=report.finding.threat,
            sha256=report.sha256,
            size_bytes=report.size_bytes,
            code=report.finding.code,
        )
