import subprocess
import sys

import pytest

import kubelab
from kubelab import lab as lab_module
from kubelab.lab.errors import LabError
from kubelab.lab.testing import FakeCluster


@pytest.fixture
def attached(monkeypatch):
    """No cluster is looked for; the fake one is there."""
    monkeypatch.setattr("kubelab.clusters.attach", lambda name=None: FakeCluster())
    monkeypatch.setattr(lab_module, "_current", None)
    monkeypatch.delenv("KUBELAB_NAMESPACE", raising=False)


def test_a_lesson_names_its_namespace(attached):
    assert repr(kubelab.connect("lesson-1")) == "Lab(lesson-1)"
    assert repr(kubelab.connect()) == "Lab(lab)"


def test_a_workshop_has_the_last_word_on_the_namespace(attached, monkeypatch):
    monkeypatch.setenv("KUBELAB_NAMESPACE", "learner-7")
    assert kubelab.connect("lesson-1").namespace == "learner-7"


def test_the_last_lab_is_the_one_that_checks_use(attached):
    with pytest.raises(LabError, match=r"run `lab = kubelab\.connect\(\)` first"):
        lab_module.current()
    assert kubelab.connect("lesson-1") is lab_module.current()


def test_connecting_loads_nothing_heavy():
    """`kubernetes` alone takes a third of a second, as long as connecting may take."""
    program = (
        "import sys, kubelab, kubelab.clusters\n"
        "from kubelab.lab.testing import FakeCluster\n"
        "kubelab.clusters.attach = lambda name=None: FakeCluster()\n"
        "kubelab.connect('lesson-1')\n"
        "print({'kubernetes', 'matplotlib', 'numpy', 'ipywidgets', 'aiohttp', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "set()\n"


def test_where_one_namespace_may_be_used_it_has_the_lessons_name(monkeypatch):
    from kubelab.lab.guest import GuestApi

    guest = FakeCluster()
    guest.namespace = "team-blue"
    monkeypatch.setattr("kubelab.clusters.attach", lambda name=None: guest)
    monkeypatch.setattr(lab_module, "_current", None)
    lab = kubelab.connect("lesson-1")
    assert (repr(lab), type(lab.api)) == ("Lab(lesson-1)", GuestApi)
