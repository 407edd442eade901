"""Transcoders by what waits: what KEDA is told."""

from pathlib import Path

from tests.chart.rendered import environment, release

# https://keda.sh/docs/latest/scalers/postgresql/: to the schema they are any strings.
METADATA = {"query", "targetQueryValue", "activationTargetQueryValue"}


def test_it_is_for_the_transcoder_and_for_nobody_else() -> None:
    [scaled] = release("full").of_kind("ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"] == release("full").named("Deployment", "transcoder")["metadata"]["name"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 20)
    by_cpu = {one["spec"]["scaleTargetRef"]["name"] for one in release("full").of_kind("HorizontalPodAutoscaler")}
    assert by_cpu == {"lmp-gateway", "lmp-ingest", "lmp-scanner", "lmp-publisher", "lmp-envoy"}
    assert release("minimal").of_kind("ScaledObject") == []


def test_the_scaler_knows_what_it_is_told() -> None:
    [scaled] = release("full").of_kind("ScaledObject")
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert trigger["metadata"].keys() <= METADATA


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
