"""What objects use of a quota."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubelab.engine.quantity import added
from kubelab.engine.quota import pods
from kubelab.engine.quota.usage import resource_of, usage

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def container(name: str, cpu: str, **more) -> dict:
    return {"name": name, "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}, **more}


def pod(*containers: dict, init=(), status=None, deleted=None, **spec) -> dict:
    meta = {"name": "a", **({"deletionTimestamp": deleted} if deleted else {})}
    whole = {"containers": list(containers), "initContainers": list(init), **spec}
    return {"metadata": meta, "spec": whole, "status": status or {}}


@pytest.mark.parametrize(
    ("of", "cpu"),
    [
        (pod(container("a", "100m"), container("b", "1")), "1100m"),
        (pod(container("a", "100m"), init=[container("i", "300m")]), "300m"),
        (pod(container("a", "100m"), init=[container("s", "50m", restartPolicy="Always")]), "150m"),
        (pod(container("a", "100m"), init=[container("s", "50m", restartPolicy="Always"), container("i", "1")]),
         "1050m"),
        (pod(container("a", "100m"), resources={"requests": {"cpu": "2"}}), "2"),
        (pod(container("a", "100m"), overhead={"cpu": "10m"}), "110m"),
    ],
)  # fmt: skip
def test_a_pod_asks_for_its_containers_together_or_for_its_largest_step(of, cpu) -> None:
    assert pods.requests(of)["cpu"] == cpu
    assert usage("pods", of, NOW)["requests.cpu"] == cpu


@pytest.mark.parametrize(
    "ended",
    [pod(container("a", "1"), status={"phase": "Failed"}), pod(container("a", "1"), deleted="2026-11-23T11:59:59Z")],
)
def test_one_that_has_ended_or_should_have_uses_only_a_place_in_the_store(ended) -> None:
    assert usage("pods", ended, NOW) == {"count/pods": "1"}
    assert "pods" in usage("pods", pod(container("a", "1"), deleted="2026-11-23T12:00:30Z"), NOW)


@pytest.mark.parametrize(
    ("name", "resource"),
    [("pods", "pods"), ("cpu", "pods"), ("limits.memory", "pods"), ("requests.example.com/gpu", "pods"),
     ("services.nodeports", "services"), ("count/jobs.batch", "jobs.batch"), ("secrets", "secrets"),
     ("requests.storage", "")],
)  # fmt: skip
def test_a_name_of_a_quota_says_which_objects_it_counts(name, resource) -> None:
    assert resource_of(name) == resource


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("1", "500m", "1500m"), ("1Gi", "512Mi", "1536Mi"), ("0", "64Mi", "64Mi"), ("1Gi", "1k", "1073742824")],
)
def test_amounts_are_added_in_the_spelling_of_the_first(one, other, both) -> None:
    assert added(one, other) == both
