"""A notebook begins with a cluster on which its lesson can be taken, or with one sentence that says what it lacks."""

import pytest

import kubelab
from kubelab import lab as lab_module
from kubelab.course import lesson
from kubelab.lab.errors import Lacking
from kubelab.lab.testing import FakeCluster


@pytest.fixture
def cluster(monkeypatch):
    made = FakeCluster()
    monkeypatch.setattr("kubelab.clusters.attach", lambda name=None: made)
    monkeypatch.setattr(lab_module, "_current", None)
    monkeypatch.delenv("KUBELAB_NAMESPACE", raising=False)
    return made


@pytest.mark.parametrize("namespace", ["lesson-4", "task-4"])
def test_where_a_lesson_cannot_be_taken_its_first_cell_says_so(cluster, namespace):
    with pytest.raises(Lacking, match=r"^Skipped: Lesson 4 needs switch proxy mode, which this cluster"):
        kubelab.connect(namespace)
    assert lab_module.current().namespace == namespace  # checks of its tasks say the same
    cluster.capabilities = lesson(4).needs
    assert repr(kubelab.connect(namespace)) == f"Lab({namespace})"


@pytest.mark.parametrize("namespace", [None, "lesson-1", "task-99", "mine", "lesson-4-mine"])
def test_everything_else_begins_anywhere(cluster, namespace):
    assert kubelab.connect(namespace) is lab_module.current()
