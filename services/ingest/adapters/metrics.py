"""ports.Meter as Prometheus series."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter


class Metrics:
    """One instance for each registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, told: str) -> Counter:
            return Counter(name, told, ("place",), registry=registry)

        self._orphans = counter("ingest_orphans_found_total", "Stored objects and uploads in parts that no row needs.")
        self._removed = counter("ingest_orphans_removed_total", "Those of them that were removed.")
        self._missing = counter("ingest_objects_missing_total", "Objects a row says are stored, and are not.")
        self._foreign = counter("ingest_objects_foreign_total", "Objects under keys that no stage gives out.")

    def compared(self, place: str, orphans: int, missing: int, foreign: int) -> None:
        """See ports.Meter."""
        self._orphans.labels(place).inc(orphans)
        self._missing.labels(place).inc(missing)
        self._foreign.labels(place).inc(foreign)

    def removed(self, place: str) -> None:
        """See ports.Meter."""
        self._removed.labels(place).inc()
