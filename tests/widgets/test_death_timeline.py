import pytest

from kubelab.lab.deaths import Moment, death
from kubelab.lab.errors import LabError
from kubelab.lab.lifelines import PodLifelines
from kubelab.lab.pods import Pod, Pods
from kubelab.lab.witnesses import DELETED, GONE
from kubelab.widgets import DeathTimeline


class Record(PodLifelines):
    """A record in which two pods came to their ends."""

    def __init__(self, *aliases):
        super().__init__(lambda: Pods(()))
        self._aliases = aliases

    @property
    def deaths(self):
        pods = [Pod(each, each, each, "", "", False, True, 0, "", 80) for each in self._aliases]
        return [death(pod, [Moment(DELETED, 1.0), Moment(GONE, 2.0)], {}, {}) for pod in pods]


@pytest.fixture
def timeline():
    widget = DeathTimeline(Record("web-1", "web-2"))
    yield widget
    widget.close()


def test_the_first_end_is_shown_and_another_can_be_chosen(timeline):
    assert timeline.pods == ["web-1", "web-2"]
    assert timeline.picture.startswith("<svg")
    assert timeline.rows == [["+0.00 s", "deletion requested", "API"], ["+1.00 s", "pod gone from the API", "API"]]
    timeline.chosen = "web-2"
    assert timeline.death.pod == "web-2"


def test_it_stands_without_a_browser(timeline):
    bundle, _ = timeline._repr_mimebundle_()
    assert "web-1: Skipped: nobody saw when its rule went; no request failed" in bundle["text/plain"]
    assert "<td style='text-align: left'>deletion requested</td>" in bundle["text/html"]


def test_a_record_without_an_end_says_how_to_get_one():
    with pytest.raises(LabError, match="service="):
        DeathTimeline(Record())
