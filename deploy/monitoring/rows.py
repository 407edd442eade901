"""What the dashboard shows, row by row.

Every series is of one namespace, which is chosen above. Gauges of tables and consumers are told by every replica alike,
so the largest counts.
"""

from dataclasses import dataclass

IN = 'namespace="$namespace"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram. unit: in Grafana's words. queries: legend and PromQL."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beside each other."""

    title: str
    panels: tuple[Panel, ...]


def rate(metric: str, by: str, where: str = "") -> str:
    """For a second, summed by these labels."""
    return f"sum by ({by}) (rate({metric}{{{_where(where)}}}[$__rate_interval]))"


def largest(metric: str, by: str, where: str = "") -> str:
    """What the replica says that says most."""
    return f"max by ({by}) ({metric}{{{_where(where)}}})"


def smallest(metric: str, by: str) -> str:
    """What the replica says that says least."""
    return f"min by ({by}) ({metric}{{{IN}}})"


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """Of a histogram."""
    buckets = rate(f"{metric}_bucket", ", ".join(filter(None, (by, "le"))), where)
    return f"histogram_quantile({share}, {buckets})"


def times(title: str, metric: str, by: str, where: str = "") -> Panel:
    """The middle and the slow end of a histogram."""
    shown = f"{{{{{by}}}}} " if by else ""
    return Panel(title, "s", tuple((f"{shown}{int(q * 100)} %", quantile(q, metric, by, where)) for q in (0.5, 0.99)))


def one(title: str, unit: str, legend: str, query: str) -> Panel:
    """A diagram of one query."""
    return Panel(title, unit, ((legend, query),))


def _where(more: str) -> str:
    return f"{IN}, {more}" if more else IN


_ANSWERED = "gateway_http_requests_total"
_ENDING = 'step=~".*_(expiring|removing)"'
_MOVING = 'step=~"ingest_.*|transcoder_images|transcoder_videos|publisher_targets"'
ROWS = (
    Row(
        "Service level",
        (
            one(
                "Requests answered without a fault of ours (30 d ≥ 99.9 %)",
                "percentunit",
                "share",
                f'1 - sum(rate({_ANSWERED}{{{IN}, status=~"5.."}}[1h])) / sum(rate({_ANSWERED}{{{IN}}}[1h]))',
            ),
            times("From upload to settled", "ingest_settled_seconds", "state"),
            one("Settled", "ops", "{{state}}", rate("ingest_settled_seconds_count", "state")),
        ),
    ),
    Row(
        "Edge",
        (
            one("Requests", "reqps", "{{route}} {{status}}", rate(_ANSWERED, "route, status")),
            times("Time to the end of an answer", "gateway_http_seconds", "route"),
            one(
                "At Envoy",
                "reqps",
                "{{envoy_response_code_class}}xx",
                rate(
                    "envoy_http_downstream_rq_xx",
                    "envoy_response_code_class",
                    'envoy_http_conn_manager_prefix="edge"',
                ),
            ),
        ),
    ),
    Row(
        "Pipeline",
        (
            one("Waiting", "short", "{{step}}", largest("waiting_items", "step", _MOVING)),
            one("The oldest has waited", "s", "{{step}}", largest("waiting_oldest_seconds", "step", _MOVING)),
            one("RPCs by code", "reqps", "{{method}} {{code}}", rate("rpc_served_seconds_count", "method, code")),
            one(
                "What is needed answers",
                "short",
                "{{dependency}}",
                smallest("dependency_ready", "dependency"),
            ),
        ),
    ),
    Row(
        "Queues",
        (
            one(
                "The oldest event still to be told",
                "s",
                "{{step}}",
                largest("waiting_oldest_seconds", "step", 'step=~".*_outbox"'),
            ),
            Panel(
                "Events of consumers",
                "short",
                tuple(
                    (f"{{{{consumer}}}} {word}", largest(f"events_{word}", "consumer"))
                    for word in ("pending", "unacknowledged", "redelivered")
                ),
            ),
            one("Events handled", "ops", "{{consumer}} {{outcome}}", rate("events_handled_total", "consumer, outcome")),
            one("Dead letters", "short", "dead letters", f"max(events_dead_letters{{{IN}}})"),
        ),
    ),
    Row(
        "Scanner",
        (
            one("Verdicts", "ops", "{{outcome}}", rate("scanner_verdicts_total", "outcome")),
            times("Time for a verdict", "scanner_scan_seconds", ""),
            one("Bytes", "Bps", "scanned", rate("scanner_scanned_bytes_total", "namespace")),
            Panel(
                "Engine",
                "short",
                (
                    ("finds its needle", f"min(scanner_needle_found{{{IN}}})"),
                    ("days of signatures", f"max(scanner_signatures_age_seconds{{{IN}}}) / 86400"),
                ),
            ),
        ),
    ),
    Row(
        "Transcoder",
        (
            one("Jobs", "ops", "{{kind}} {{outcome}}", rate("transcoder_jobs_total", "kind, outcome")),
            times("Time for a job", "transcoder_job_seconds", "kind"),
            one("Presets settled", "ops", "{{how}}", rate("transcoder_variants_total", "how")),
            Panel(
                "Memory of videos under way",
                "bytes",
                (
                    ("taken", f"sum(transcoder_films_bytes{{{IN}}})"),
                    ("may be taken", f"sum(transcoder_films_room_bytes{{{IN}}})"),
                ),
            ),
            one("Decoders by their end", "ops", "{{end}}", rate("transcoder_children_total", "end")),
            one("Layers around decoders", "short", "{{layer}}", smallest("transcoder_isolation_layer", "layer")),
        ),
    ),
    Row(
        "Storage and retention",
        (
            one(
                "The oldest that should be gone",
                "s",
                "{{step}}",
                largest("waiting_oldest_seconds", "step", _ENDING),
            ),
            one(
                "To be removed", "short", "{{step}}", largest("waiting_items", "step", 'step=~".*_(expiring|removing)"')
            ),
            Panel(
                "Bytes",
                "bytes",
                (
                    ("originals, by the rows", f"max(ingest_held_bytes{{{IN}}})"),
                    ("stored in {{place}}", largest("ingest_stored_bytes", "place")),
                ),
            ),
            Panel(
                "Found by reconciliation",
                "ops",
                tuple(
                    (f"{{{{place}}}} {word}", rate(f"ingest_{metric}_total", "place"))
                    for word, metric in (
                        ("orphans", "orphans_found"),
                        ("removed", "orphans_removed"),
                        ("missing", "objects_missing"),
                        ("foreign", "objects_foreign"),
                    )
                ),
            ),
        ),
    ),
    Row(
        "Platforms",
        (
            one(
                "Targets settled", "ops", "{{platform}} {{status}}", rate("publisher_targets_total", "platform, status")
            ),
            one(
                "Calls",
                "ops",
                "{{platform}} {{outcome}}",
                rate("publisher_call_seconds_count", "platform, outcome"),
            ),
            times("Time for a call", "publisher_call_seconds", "platform"),
            one(
                "Due or not known yet, the oldest",
                "s",
                "{{step}}",
                largest("waiting_oldest_seconds", "step", 'step=~"publisher_(targets|imports|unknown)"'),
            ),
        ),
    ),
    Row(
        "Webhooks",
        (
            one("Attempts", "ops", "{{outcome}}", rate("publisher_webhook_attempt_seconds_count", "outcome")),
            times("Time for an attempt", "publisher_webhook_attempt_seconds", ""),
            one(
                "The oldest due",
                "s",
                "{{step}}",
                largest("waiting_oldest_seconds", "step", 'step="publisher_webhooks"'),
            ),
            one(
                "Endpoints that fail, or are disabled",
                "short",
                "{{step}}",
                largest("waiting_items", "step", 'step=~"publisher_(failing|disabled)_endpoints"'),
            ),
        ),
    ),
)
