"""Monitors, alerts and dashboard: what they ask and show, and each alert with its page."""

import json
import re
from importlib import import_module

import promql_parser
import pytest
import yaml

from deploy.local.state import REPOSITORY
from deploy.monitoring import dashboard
from services.admin.cli import GROUPS
from tests.chart import monitoring
from tests.chart.rendered import CASES, CHART, COMPONENT, RELEASE, STAGES, Release, chart, release, values

RUNBOOKS = REPOSITORY / "docs" / "runbooks"
ALERTS = {rule["alert"] for rule in monitoring.rules()}


@pytest.fixture
def full() -> Release:
    """With everything switched on."""
    return release("full")


def test_it_is_off_unless_turned_on() -> None:
    assert not [one for one in release("minimal").manifests if one["kind"] in ("PodMonitor", "PrometheusRule")]
    assert not [one for one in release("minimal").manifests if one["metadata"]["name"] == f"{RELEASE}-dashboard"]


def test_every_pod_that_tells_numbers_is_asked_at_a_port_it_has(full: Release) -> None:
    pods = {part: (spec, labels) for part, spec, labels in full.pods()}
    asked = set()
    for monitor in full.of_kind("PodMonitor"):
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["jobLabel"] == COMPONENT
        chosen = monitor["spec"]["selector"]["matchLabels"].items()
        [part] = [part for part, (_, labels) in pods.items() if chosen <= labels.items()]
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        ports = {port["name"] for container in pods[part][0]["containers"] for port in container.get("ports", ())}
        assert endpoint["port"] in ports
        asked.add(part)
    assert asked == {*STAGES, "envoy", "json-port"}


def test_the_rules_are_those_of_the_file_each_with_where_its_page_is(full: Release) -> None:
    [found] = full.of_kind("PrometheusRule")
    assert found["apiVersion"] == "monitoring.coreos.com/v1"
    assert found["metadata"]["labels"]["release"] == "prometheus"
    rendered = [rule for group in found["spec"]["groups"] for rule in group["rules"]]
    assert len({group["name"] for group in found["spec"]["groups"]}) == len(found["spec"]["groups"])
    assert [(rule["alert"], rule["expr"]) for rule in rendered] == [
        (rule["alert"], rule["expr"]) for rule in monitoring.rules()
    ]
    pages = values("full")["monitoring"]["rules"]["runbooks"]
    for rule in rendered:
        assert rule["annotations"]["runbook_url"] == f"{pages}/{rule['alert']}.md"
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"[0-9]+[mh]", rule.get("for", "1m"))


def test_pages_are_those_of_this_repository_unless_somebody_has_them_elsewhere() -> None:
    pages = chart().values["monitoring"]["rules"]["runbooks"]
    assert pages.endswith("/" + RUNBOOKS.relative_to(REPOSITORY).as_posix())


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == ALERTS
    index = (RUNBOOKS / "README.md").read_text()
    assert {name for name in ALERTS if f"({name}.md)" in index} == ALERTS


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_a_page_says_what_it_means_how_to_see_it_and_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["What it means", "How to see it", "What to do"]
    for group, command in re.findall(r"lmp-admin ([a-z-]+) ([a-z-]+)", text):
        assert command in {one.name for one in import_module(GROUPS[group].module).COMMANDS[group]}, (
            f"lmp-admin {group} {command}"
        )


def test_every_expression_is_promql_and_every_alert_is_about_an_installation() -> None:
    assert len(list(monitoring.expressions())) > 50
    for where, expression in monitoring.expressions():
        assert promql_parser.parse(expression), where
    for use in monitoring.uses():
        assert "namespace" in use.labels, use


def test_the_dashboard_is_the_one_its_rows_make() -> None:
    assert dashboard.PATH.read_text() == dashboard.text(), "make gen"


def test_the_dashboard_is_one_that_grafana_can_show(full: Release) -> None:
    found = json.loads(full.named("ConfigMap", "dashboard")["data"]["letmepost-media.json"])
    assert found == dashboard.dashboard()
    assert full.named("ConfigMap", "dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"
    ids = [panel["id"] for panel in found["panels"]]
    assert len(ids) == len(set(ids))
    variables = {one["name"] for one in found["templating"]["list"]}
    taken: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            named = set(re.findall(r"\$\{?(\w+)", target["expr"] + target["datasource"]["uid"]))
            assert named <= variables | {"__rate_interval"}, target
    titles = [panel["title"] for panel in found["panels"] if panel["type"] == "row"]
    assert titles == [
        "Service level",
        "Edge",
        "Pipeline",
        "Queues",
        "Scanner",
        "Transcoder",
        "Storage and retention",
        "Platforms",
        "Webhooks",
    ]


@pytest.mark.parametrize("case", CASES)
def test_labels_are_text(case: str) -> None:
    for one in release(case).manifests:
        assert all(isinstance(value, str) for value in one["metadata"].get("labels", {}).values()), one["kind"]


def test_alerts_are_plain_yaml_with_nothing_twice() -> None:
    text = (CHART / "files" / "alerts.yaml").read_text()
    assert yaml.safe_load(text).keys() == {"groups"}
    # Two rules of one alert differ in how urgent they are.
    told = [(rule["alert"], rule["labels"]["severity"]) for rule in monitoring.rules()]
    assert len(told) == len(set(told))
