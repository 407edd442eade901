"""What the chart's dashboard and alerts ask Prometheus."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser
import yaml

from tests.chart.rendered import CHART

# Which pod says it: labels of the scrape, not of the series. `up` is Prometheus' own.
SCRAPED = frozenset({"namespace", "job", "pod"})
OF_PROMETHEUS = frozenset({"up"})


@dataclass(frozen=True, slots=True)
class Use:
    """One series in one expression, and the labels it is chosen and summed by."""

    where: str
    metric: str
    labels: frozenset[str]


@cache
def rules() -> tuple[dict[str, Any], ...]:
    """All alerts, as written."""
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


@cache
def panels() -> tuple[dict[str, Any], ...]:
    """All of the dashboard but its rows' headings."""
    found = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
    return tuple(panel for panel in found if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str]]:
    """Where, and the PromQL; what Grafana puts in is put in."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m").replace("$namespace", "media")
            yield panel["title"], query


def uses() -> Iterator[Use]:
    """Every series that is asked for. Raises ValueError for what is no PromQL."""
    for where, expression in expressions():
        for metric, labels in _walk(promql_parser.parse(expression), frozenset()):
            yield Use(where, metric, labels)


def _walk(expr: Any, by: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Series below `expr`. by: labels that something above sums by."""
    match type(expr).__name__:
        case "VectorSelector":
            yield expr.name, by | {matcher.name for matcher in expr.matchers.matchers}
        case "MatrixSelector":
            yield from _walk(expr.vector_selector, by)
        case "AggregateExpr":
            yield from _walk(expr.expr, by | frozenset(expr.modifier.labels if expr.modifier else ()))
        case "BinaryExpr":
            yield from _walk(expr.lhs, by)
            yield from _walk(expr.rhs, by)
        case "Call":
            for argument in expr.args:
                yield from _walk(argument, by)
        case "ParenExpr" | "UnaryExpr":
            yield from _walk(expr.expr, by)
        case "NumberLiteral" | "StringLiteral":
            return
        case other:
            raise ValueError(f"nothing is known of {other}")
