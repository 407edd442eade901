"""ports.Meter as Prometheus series."""

from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from services.publisher.domain.webhooks.delivery import Outcome

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class Metrics:
    """One instance for each registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._attempts = Histogram(
            "publisher_webhook_attempt_seconds",
            "Attempts to deliver a webhook, by how they ended: taken, or the fault.",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )

    def attempted(self, outcome: Outcome, elapsed_s: float) -> None:
        """See ports.Meter."""
        self._attempts.labels(outcome.fault or "taken").observe(elapsed_s)
