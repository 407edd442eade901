"""Transcoders by what waits: what KEDA is told, by the fields it documents for its versions 2.x."""

from pathlib import Path

from tests.chart.rendered import environment, release

# https://keda.sh/docs/latest/reference/scaledobject-spec/ and …/scalers/postgresql/
SPEC = {
    "scaleTargetRef",
    "pollingInterval",
    "cooldownPeriod",
    "initialCooldownPeriod",
    "minReplicaCount",
    "maxReplicaCount",
    "idleReplicaCount",
    "fallback",
    "advanced",
    "triggers",
}
TRIGGER = {"type", "name", "metadata", "authenticationRef", "metricType", "useCachedMetrics"}
METADATA = {"query", "targetQueryValue", "activationTargetQueryValue"}


def test_it_is_for_the_transcoder_and_for_nobody_else() -> None:
    [scaled] = release("full").of_kind("ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"] == release("full").named("Deployment", "transcoder")["metadata"]["name"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 20)
    by_cpu = {one["spec"]["scaleTargetRef"]["name"] for one in release("full").of_kind("HorizontalPodAutoscaler")}
    assert by_cpu == {"lmp-gateway", "lmp-ingest", "lmp-scanner", "lmp-envoy"}
    assert release("minimal").of_kind("ScaledObject") == []


def test_only_fields_that_there_are_and_numbers_as_it_takes_them() -> None:
    [scaled] = release("full").of_kind("ScaledObject")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert scaled["spec"].keys() <= SPEC
    [trigger] = scaled["spec"]["triggers"]
    assert trigger.keys() <= TRIGGER
    assert trigger["metadata"].keys() <= METADATA
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_it_asks_with_a_secret_of_its_own() -> None:
    [asking] = release("full").of_kind("TriggerAuthentication")
    [scaled] = release("full").of_kind("ScaledObject")
    assert scaled["spec"]["triggers"][0]["authenticationRef"] == {"name": asking["metadata"]["name"]}
    [reference] = asking["spec"]["secretTargetRef"]
    secret = release("full").named("ExternalSecret", "scaler")["spec"]
    assert secret["target"]["name"] == reference["name"]
    assert [row["secretKey"] for row in secret["data"]] == [reference["key"]]


def test_the_role_it_asks_as_is_let_in_by_the_migration_job() -> None:
    def told(case: str) -> dict[str, str]:
        [container] = release(case).named("Job", "migrate")["spec"]["template"]["spec"]["containers"]
        return environment(container)

    name = "MEDIA_MIGRATE_SCALER_PASSWORD_FILE"
    assert Path(told("full")[name]).name == "scaler_password"
    assert name not in told("minimal")
