"""ports.Meter as Prometheus series."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

from services.ingest.domain.reconciliation import Place

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


class Metrics:
    """One instance for each registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, told: str) -> Counter:
            made = Counter(name, told, ("place",), registry=registry)
            for place in Place:
                made.labels(place.value)  # told as 0 from the start, so that the first one shows as a step
            return made

        self._orphans = counter("ingest_orphans_found_total", "Stored objects and uploads in parts that no row needs.")
        self._removed = counter("ingest_orphans_removed_total", "Those of them that were removed.")
        self._missing = counter("ingest_objects_missing_total", "Objects a row says are stored, and are not.")
        self._foreign = counter("ingest_objects_foreign_total", "Objects under keys that no stage gives out.")
        self._settled = Histogram(
            "ingest_settled_seconds",
            "From the row of an item to its last eager rendition; for uploads in one request, the upload included.",
            ("state",),
            buckets=_SECONDS,
            registry=registry,
        )

    def compared(self, place: str, orphans: int, missing: int, foreign: int) -> None:
        """See ports.Meter."""
        self._orphans.labels(place).inc(orphans)
        self._missing.labels(place).inc(missing)
        self._foreign.labels(place).inc(foreign)

    def removed(self, place: str) -> None:
        """See ports.Meter."""
        self._removed.labels(place).inc()

    def settled(self, state: str, elapsed_s: float) -> None:
        """See ports.Meter."""
        self._settled.labels(state).observe(elapsed_s)
