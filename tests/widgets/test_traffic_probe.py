import threading
import time

import pytest

from kubelab.lab.testing import fake_lab
from kubelab.lab.traffic import Answer
from kubelab.widgets import TrafficProbe
from kubelab.widgets.shares import Tally, shares_html

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web"}]}}


@pytest.fixture
def lab():
    lab = fake_lab()
    lab.apply(POD)
    return lab


@pytest.fixture
def probe(lab):
    probe = TrafficProbe(lab, "web", rate=10)
    yield probe
    probe.close()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_buttons_start_and_stop_real_counting(probe):
    assert (probe.start_button.disabled, probe.stop_button.disabled) == (False, True)
    probe.start_button.click()
    assert (probe.start_button.disabled, probe.stop_button.disabled) == (True, False)
    until(lambda: "answered by 1 pod" in probe.status.value)
    probe.stop_button.click()
    assert (probe.start_button.disabled, probe.stop_button.disabled) == (False, True)
    assert "Stopped. " in probe.status.value
    assert probe.traffic.success == 1
    assert "web" in probe.shares.value


def test_starting_twice_is_starting_once(probe):
    probe.start()
    worker = probe._worker
    probe.start()
    assert probe._worker is worker


def test_it_can_be_started_again_and_counts_from_zero(probe):
    probe.start()
    until(lambda: probe._tally.total > 0)
    probe.stop()
    first = probe._tally
    probe.start()
    assert probe._tally is not first


def test_what_goes_wrong_is_said_in_the_panel(lab):
    probe = TrafficProbe(lab, "", rate=10)
    probe.start()
    until(lambda: not probe.running)
    assert "not something to send requests to" in probe.status.value
    assert not probe.start_button.disabled
    probe.close()


def test_a_cell_that_is_run_again_ends_the_panel_from_before(lab):
    older = TrafficProbe(lab, "web")
    older.start()
    newer = TrafficProbe(lab, "web")
    assert not older.running
    newer.close()


def test_closing_leaves_no_thread(lab):
    probe = TrafficProbe(lab, "web")
    probe.start()
    probe.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kubelab-p")]


def test_its_text_and_html_do_not_change_from_run_to_run(lab):
    bundles = []
    for _ in range(2):
        probe = TrafficProbe(lab, "web", rate=10)
        bundles.append(probe._repr_mimebundle_())
        probe.close()
    for form in ("text/plain", "text/html"):
        assert bundles[0][form] == bundles[1][form]
    assert bundles[0]["text/plain"] == "TrafficProbe(web, 10 requests a second)"
    assert "application/vnd.jupyter.widget-view+json" in bundles[0]


def test_updates_come_at_most_ten_times_a_second():
    from kubelab.widgets.traffic_probe import UPDATE_SECONDS

    assert UPDATE_SECONDS >= 0.1


def test_shares_name_and_number_everything_they_colour():
    tally = Tally()
    for pod in ("web-2", "web-1", "web-1"):
        tally.hear(Answer(0, 0, code=200, pod=pod))
    tally.hear(Answer(0, 0, error="refused"))
    tally.hear(Answer(0, 0, code=503, pod="web-1"))
    assert tally.rows == [("web-1", 2, True), ("web-2", 1, True), ("code 503", 1, False), ("refused", 1, False)]
    assert tally.sentence == "5 requests, 3 answered by 2 pods, 2 failed"
    html = shares_html(tally)
    assert html.index("web-1") < html.index("web-2") < html.index("refused")
    assert "2 (40%)" in html
