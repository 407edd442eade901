"""ports.Meter as Prometheus series."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """One instance for each registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._targets = Counter(
            "publisher_targets_total", "Targets settled, by how.", ("platform", "status"), registry=registry
        )
        self._calls = Histogram(
            "publisher_call_seconds",
            "The one mutation, by how it ended: published, underway, a known refusal's fault, or unknown.",
            ("platform", "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )

    def settled(self, platform: str, status: str) -> None:
        """See ports.Meter."""
        self._targets.labels(platform, status).inc()

    def called(self, platform: str, outcome: str, elapsed_s: float) -> None:
        """See ports.Meter."""
        self._calls.labels(platform, outcome).observe(elapsed_s)
