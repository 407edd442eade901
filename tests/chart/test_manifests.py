"""What Kubernetes is told: valid for three of its versions, restricted, and consistent with itself."""

import helm_python
import kubernetes_validate
import pytest

from tests.chart.rendered import CASES, CHART, COMPONENT, Release, release, rendered, values

VERSIONS = ("1.30", "1.33", "1.37")
WARNING = 2


@pytest.fixture(params=CASES)
def found(request: pytest.FixtureRequest) -> Release:
    """Every case in turn."""
    return release(request.param)


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_say(case: str) -> None:
    report = helm_python.lint(str(CHART), values(case), strict=True, namespace="media")
    assert report["total_charts_linted"] == 1
    assert [row for row in report["messages"] if row["severity"] >= WARNING] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(found: Release, version: str) -> None:
    # What belongs to operators: tests/contract/test_custom_resources.py.
    custom = found.of_operators()
    known = [one for one in found.manifests if one not in custom]
    assert len(known) > 25
    for manifest in known:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_every_pod_is_restricted(found: Release) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/, level "restricted"
    pods = list(found.pods())
    assert len(pods) >= 10
    for part, spec, _ in pods:
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & spec.keys(), part
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, part
        assert context["runAsUser"] > 0, part
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, part
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, part
            assert "memory" in container["resources"]["limits"], part
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), part
            assert all("hostPort" not in port for port in container.get("ports", ())), part
        kinds = (
            {kind for volume in spec["volumes"] for kind in volume if kind != "name"} if "volumes" in spec else set()
        )
        assert kinds <= {"emptyDir", "secret", "configMap"}, part


def test_no_pod_knows_the_cluster(found: Release) -> None:
    accounts = {one["metadata"]["name"] for one in found.of_kind("ServiceAccount")}
    for part, spec, _ in found.pods():
        assert spec["automountServiceAccountToken"] is False, part
        assert spec["enableServiceLinks"] is False, part
        assert spec["serviceAccountName"] in accounts, part
    names = [spec["serviceAccountName"] for _, spec, _ in found.pods()]
    assert len(names) == len(set(names))
    assert found.of_kind("Role") == found.of_kind("ClusterRole") == []


def test_every_temporary_folder_has_an_end(found: Release) -> None:
    folders = [volume for _, spec, _ in found.pods() for volume in spec.get("volumes", ()) if "emptyDir" in volume]
    assert folders
    assert all("sizeLimit" in volume["emptyDir"] for volume in folders)


def test_selectors_choose_the_pods_that_are_meant(found: Release) -> None:
    pods = [labels for _, _, labels in found.pods()]
    for kind in ("Service", "Deployment", "StatefulSet", "PodDisruptionBudget"):
        for one in found.of_kind(kind):
            wanted = one["spec"]["selector"].get("matchLabels", one["spec"]["selector"])
            chosen = [labels for labels in pods if wanted.items() <= labels.items()]
            assert [labels[COMPONENT] for labels in chosen] == [one["metadata"]["labels"][COMPONENT]], one["metadata"]


def test_every_port_of_a_service_is_one_of_its_pods(found: Release) -> None:
    ports = {
        part: {port["name"] for container in spec["containers"] for port in container.get("ports", ())}
        for part, spec, _ in found.pods()
    }
    for service in found.of_kind("Service"):
        part = service["metadata"]["labels"][COMPONENT]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[part], part


def test_budgets_leave_room_to_drain_a_node(found: Release) -> None:
    replicas = {
        one["metadata"]["labels"][COMPONENT]: one["spec"].get("replicas") for one in found.of_kind("Deployment")
    }
    least = {
        one["metadata"]["labels"][COMPONENT]: one["spec"]["minReplicas"]
        for one in found.of_kind("HorizontalPodAutoscaler")
    }
    queued = {
        one["metadata"]["labels"][COMPONENT]: one["spec"]["minReplicaCount"] for one in found.of_kind("ScaledObject")
    }
    # One autoscaler at most: KEDA makes one of its own.
    assert not least.keys() & queued.keys()
    least |= queued
    budgets = {one["metadata"]["labels"][COMPONENT] for one in found.of_kind("PodDisruptionBudget")}
    # Either the autoscaler says how many there are, or the deployment does, and never both.
    assert all((replicas[part] is None) == (part in least) for part in replicas)
    assert budgets == {part for part, count in (replicas | least).items() if count > 1}


def test_a_pod_has_time_to_leave_and_to_finish(found: Release) -> None:
    assert_time_enough(found)


def test_it_has_more_time_where_more_is_asked_for() -> None:
    slow = rendered(values("full") | {"leave_s": 90, "drain_s": 600})
    assert_time_enough(slow)


def assert_time_enough(found: Release) -> None:
    """For its last words, and for what it has under way."""
    for part, spec, _ in found.pods():
        [container] = [one for one in spec["containers"] if one["name"] == part]
        if "lifecycle" not in container:
            continue
        leave_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        told = {one["name"]: one.get("value", "") for one in container.get("env", ())}
        drain_s = sum(float(told.get(f"MEDIA_{part.upper()}_{name}", 0)) for name in ("LEAVE_S", "DRAIN_S"))
        assert spec["terminationGracePeriodSeconds"] >= leave_s + drain_s + 15, part


def test_what_is_pulled_may_be_named_by_what_it_is() -> None:
    digest = "sha256:" + "ab" * 32
    asked = values("full")
    asked["image"] |= {"digests": {"scanner": digest, "migrate": digest}}
    images = {part: spec["containers"][0]["image"] for part, spec, _ in rendered(asked).pods()}
    ours = "registry.example.org/media"
    assert {part for part, image in images.items() if image.endswith(f":0.1.0@{digest}")} == {"scanner", "migrate"}
    assert (images["scanner"], images["ingest"]) == (f"{ours}/scanner:0.1.0@{digest}", f"{ours}/ingest:0.1.0")


def test_a_changed_setting_makes_new_pods() -> None:
    def mark(case: str, part: str) -> str:
        template = release(case).named("Deployment", part)["spec"]["template"]
        return str(template["metadata"]["annotations"]["letmepost.dev/settings"])

    for part in ("gateway", "envoy", "transcoder"):
        assert mark("full", part) != mark("minimal", part)
        assert len(mark("full", part)) == 64
