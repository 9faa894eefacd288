"""What a trial pod says is told before a lesson waits for its like; the pod is gone afterwards."""

import itertools

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing import trial
from tests.clusters.existing.conftest import NAMESPACE

PATH = f"{NAMESPACE}/pods/{trial.NAME}"


def run(there, image=""):
    seconds = itertools.count(step=10)
    trial.run(there, "team-blue", image, clock=lambda: next(seconds), sleep=lambda _: None)


def waiting(reason, **more):
    return {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, **more}}}]}


def test_a_pod_that_comes_to_its_end_is_all_that_is_asked_for(there):
    run(there)
    assert PATH not in there.objects


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (waiting("ErrImagePull", message="no such host"), r"image r/p \(ErrImagePull: no such host\).*--image"),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"message": "no python3"}}}]},
         r"not one with Python 3\.11 or newer.*no python3"),
        (waiting("ContainerCreating"), r"did not come to its end within 300 s \(last seen: ContainerCreating\)"),
        ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
         r"last seen: no node takes it: 0/3 nodes"),
    ],
)  # fmt: skip
def test_what_is_in_its_way_is_told_and_it_is_taken_away(there, status, said):
    there.pod_status = status
    with pytest.raises(ClusterError, match=said):
        run(there, "r/p")
    assert PATH not in there.objects


def test_a_pod_of_others_with_that_name_is_left_alone(there):
    there.put(f"{NAMESPACE}/pods", trial.NAME)
    there.objects[PATH]["status"] = {"phase": "Succeeded"}
    trial._take_away(there, PATH)
    assert PATH in there.objects
