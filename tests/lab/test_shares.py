import pytest

from kubelab.lab import shares
from kubelab.lab.errors import LabError
from kubelab.lab.share_pictures import stacked
from kubelab.lab.shares import START, SharesOverTime
from kubelab.lab.testing import fake_lab
from kubelab.lab.traffic import Answer, Traffic

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


class Late:
    """A client of one connection on a busy machine: it tells its next answer whenever it is waited for."""

    def __init__(self, *answers):
        self._coming = iter(answers)
        self._told = []

    def start(self, heard):
        self._heard = heard
        return self

    @property
    def failure(self):
        self._told.append(next(self._coming))
        self._heard(self._told[-1])

    def reconnect(self):
        pass

    def stop(self):
        return Traffic(tuple(self._told))


def test_a_request_that_waits_for_its_connection_while_something_happens_is_in_no_phase(monkeypatch):
    monkeypatch.setattr(shares, "OVERTAKEN", 1)
    monkeypatch.setattr(shares.time, "sleep", lambda seconds: None)

    def answer(at, seconds, port):
        return Answer(at, seconds, 200, pod="web-1", uid="u-1", peer="10.0.0.1", peer_port=port)

    overdue = (answer(1.1, 1.0, 2), answer(1.2, 1.0, 2))  # sent before the client reconnected, answered after it
    client = Late(answer(0.5, 0.1, 1), answer(1.0, 0.1, 1), *overdue, answer(1.9, 0.5, 2), answer(3.0, 0.1, 2))
    with SharesOverTime("web:80", tuple, client.start, 2) as record, record.event("reconnected"):
        record._enough = 1
        record.reconnect()
    assert [[each.at for each in phase.traffic.answers] for phase in record.phases] == [[0.5, 1.0], [3.0]]
    assert [phase.traffic.connections for phase in record.phases] == [1, 1]


def test_who_was_ready_and_never_asked_is_named(lab):
    with lab.watch_shares("web", rate=100, connections=2, phase_seconds=0.2) as shares, shares.event("scaled to 3"):
        lab.scale("deployment/web", 3)
    assert "ready, and never asked: web-3" in {text.get_text() for text in shares.plot().axes[0].texts}


def test_a_failure_of_the_client_ends_the_block(lab):
    lab.delete("service/web")
    with pytest.raises(LabError):
        lab.watch_shares("web")
