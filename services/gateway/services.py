"""Which services the gateway fronts, and which stage answers for each."""

from collections.abc import Mapping

from google.protobuf.descriptor import ServiceDescriptor
from mediaapi.v1 import gateway_service_pb2, ingest_service_pb2, publisher_service_pb2, transcoder_service_pb2

from services.gateway.transcode.routes import RouteTable

# In the order the documentation shows them.
PUBLIC: Mapping[str, ServiceDescriptor] = {
    "ingest": ingest_service_pb2.DESCRIPTOR.services_by_name["IngestService"],
    "transcoder": transcoder_service_pb2.DESCRIPTOR.services_by_name["TranscoderService"],
    "publisher": publisher_service_pb2.DESCRIPTOR.services_by_name["PublisherService"],
    "gateway": gateway_service_pb2.DESCRIPTOR.services_by_name["KeyService"],
}


def route_table() -> RouteTable:
    """Every public route."""
    return RouteTable.of(PUBLIC.values())
