"""ports.Meter as Prometheus series."""

from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from services.platforms.catalog import Kind

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


class Metrics:
    """One instance for each registry.

    Args:
        layers: Of the engine's isolation, in force.
    """

    def __init__(self, layers: Iterable[str], registry: CollectorRegistry = REGISTRY) -> None:
        self._jobs = Counter("transcoder_jobs_total", "Jobs by how they ended.", ("kind", "outcome"), registry=registry)
        self._seconds = Histogram(
            "transcoder_job_seconds", "From claim to end.", ("kind",), buckets=_SECONDS, registry=registry
        )
        self._variants = Counter(
            "transcoder_variants_total", "Presets settled, by how they were satisfied.", ("how",), registry=registry
        )
        self._segments = Counter(
            "transcoder_segments_total", "Segments of long films encoded, by whom.", ("by",), registry=registry
        )
        self._films = Gauge(
            "transcoder_films_bytes", "Memory that videos under way take, by estimate.", registry=registry
        )
        self._room = Gauge("transcoder_films_room_bytes", "What they may take together.", registry=registry)
        layer = Gauge("transcoder_isolation_layer", "1: in force around the decoder.", ("layer",), registry=registry)
        for name in layers:
            layer.labels(name).set(1)

    def job(self, kind: Kind, outcome: str, elapsed_s: float) -> None:
        """See ports.Meter."""
        self._jobs.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(elapsed_s)

    def films(self, taken_bytes: Callable[[], int], room_bytes: int) -> None:
        """See ports.Meter."""
        self._films.set_function(taken_bytes)
        self._room.set(room_bytes)

    def segment(self, by: str) -> None:
        """See ports.Meter."""
        self._segments.labels(by).inc()

    def variant(self, how: str) -> None:
        """See ports.Meter."""
        self._variants.labels(how).inc()
