"""The Grafana dashboard of the chart, from rows.py.   python -m deploy.monitoring.dashboard write"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.local.state import REPOSITORY
from deploy.monitoring.rows import ROWS, Panel, Row

PATH = REPOSITORY / "deploy" / "k8s" / "chart" / "files" / "dashboard.json"
TITLE = "letmepost Media API"
COLUMNS, ABREAST, HEIGHT = 24, 4, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> dict[str, Any]:
    """As Grafana imports it, schema version 39 (Grafana 10 and later)."""
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    namespace = {
        "name": "namespace",
        "label": "Namespace",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(gateway_http_requests_total, namespace)", "refId": "namespace"},
        "refresh": 2,
        "sort": 1,
    }
    return {
        "uid": "letmepost-media",
        "title": TITLE,
        "tags": ["letmepost"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [source, namespace]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(_panels(ROWS), start=1)],
    }


def _panels(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    y = 0
    for row in rows:
        yield {"type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": _place(0, y, COLUMNS, 1)}
        y += 1
        for first in range(0, len(row.panels), ABREAST):
            line = row.panels[first : first + ABREAST]
            width = COLUMNS // len(line)
            for at, panel in enumerate(line):
                yield _panel(panel, _place(at * width, y, width, HEIGHT))
            y += HEIGHT


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(panel.queries)
        ],
    }


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def text() -> str:
    """As it is committed."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["write"]:
        sys.exit(__doc__)
    PATH.write_text(text())
