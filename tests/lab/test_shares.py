import pytest

from kubelab.lab.errors import LabError
from kubelab.lab.share_pictures import stacked
from kubelab.lab.shares import START
from kubelab.lab.testing import fake_lab

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "server", "image": "python:3.12"}]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


@pytest.fixture
def lab():
    lab = fake_lab()
    lab.apply([DEPLOYMENT, SERVICE])
    return lab


@pytest.fixture
def record(lab):
    """Two pods that become six under ten kept connections, which are then opened anew."""
    with lab.watch_shares("web:80", rate=100, connections=10, phase_seconds=0.5) as shares:
        with shares.event("scaled to 6"):
            lab.scale("deployment/web", 6)
        with shares.event("reconnected", answering=6):
            shares.reconnect()
    assert lab.last_shares is shares
    return shares


def test_kept_connections_stay_where_they_are_until_they_are_opened_anew(record):
    assert repr(record) == (
        "SharesOverTime(at the start: 2 of 2 pods; scaled to 6: 2 of 6 pods; reconnected: 6 of 6 pods)"
    )
    assert record["scaled to 6"].new_share == 0
    assert 0.4 < record["reconnected"].new_share < 0.9
    assert record["reconnected"].new == ("web-3", "web-4", "web-5", "web-6")


def test_phases_do_not_overlap_and_lie_between_the_events(record):
    first, second, third = record.phases
    assert (first.name, first.traffic.connections) == (START, 10)
    assert first.ended <= second.began < second.ended <= third.began
    assert all(second.began < answer.at <= second.ended for answer in second.traffic.answers)


def test_a_phase_that_there_was_not_is_named_in_the_error(record):
    with pytest.raises(LabError, match="at the start, scaled to 6, reconnected"):
        record["rolled out"]


def test_the_html_has_a_row_for_every_phase_and_no_counts_that_chance_decides(record):
    html = record._repr_html_()
    assert html.count("scope='row'") == 3
    assert "<td style='text-align: left'>6</td><td style='text-align: left'>2</td>" in html


def test_the_picture_stacks_to_a_hundred_percent_and_no_bin_mixes_before_with_after(record):
    moments, bands = stacked(record)
    assert list(bands) == [f"web-{number}" for number in range(1, 7)]
    assert all(sum(heights) == pytest.approx(100) for heights in zip(*bands.values(), strict=True))
    for _, began, ended in record.events:
        assert {began, ended} <= set(moments)
    axes = record.plot().axes[0]
    assert {"scaled to 6", "reconnected"} <= {text.get_text() for text in axes.texts}


def test_who_was_ready_and_never_asked_is_named(lab):
    with lab.watch_shares("web", rate=100, connections=2, phase_seconds=0.2) as shares, shares.event("scaled to 3"):
        lab.scale("deployment/web", 3)
    assert "ready, and never asked: web-3" in {text.get_text() for text in shares.plot().axes[0].texts}


def test_a_failure_of_the_client_ends_the_block(lab):
    lab.delete("service/web")
    with pytest.raises(LabError):
        lab.watch_shares("web")
