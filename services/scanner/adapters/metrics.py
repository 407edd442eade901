"""ports.Meter as Prometheus series."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """One instance for each registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._verdicts = Counter("scanner_verdicts_total", "Verdicts given.", ("outcome",), registry=registry)
        self._bytes = Counter("scanner_scanned_bytes_total", "Bytes a verdict was given on.", registry=registry)
        self._seconds = Histogram("scanner_scan_seconds", "Time for one verdict.", buckets=_SECONDS, registry=registry)
        self._needle = Gauge("scanner_needle_found", "1 when the last self-test found its needle.", registry=registry)
        self._age = Gauge(
            "scanner_signatures_age_seconds", "Age of the signature database; NaN when unknown.", registry=registry
        )

    def scanned(self, outcome: str, size_bytes: int, elapsed_s: float) -> None:
        """See ports.Meter."""
        self._verdicts.labels(outcome).inc()
        self._bytes.inc(size_bytes)
        self._seconds.observe(elapsed_s)

    def tested(self, *, found: bool, signature_age_s: float | None) -> None:
        """See ports.Meter."""
        self._needle.set(found)
        self._age.set(float("nan") if signature_age_s is None else signature_age_s)
