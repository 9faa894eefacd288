"""What the checks of lesson 10 make of what they saw; on a real cluster they are tried in tests/lessons."""

from dataclasses import replace

import pytest

from kubelab.course.lessons.lesson10_probes_and_rollouts import apps, long_requests, no_failure, wrong_probe
from kubelab.course.lessons.lesson10_probes_and_rollouts.rollouts import FailuresByPreStop
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.deaths import Death
from kubelab.lab.witnesses import GONE, RULE_GONE, SIGTERM

WELL = wrong_probe.Seen(answered=1, pods=2, restarts=0, spared=True, left_alone=True, revived=True)
ROLLED = no_failure.Rolled(requests=900, failed_new=0, failed_kept=0, replaced=True, pods=3)
DEATH = Death("web-1", 0.0, {SIGTERM: 2.0, RULE_GONE: 0.1, GONE: 6.0}, (), (), 0)
ENDED = long_requests.Ended(long_answered=True, failed=0, death=DEATH)


@pytest.mark.parametrize(
    "judge, seen", [(wrong_probe.judge, WELL), (no_failure.judge, ROLLED), (long_requests.judge, ENDED)]
)
def test_what_is_as_it_should_be_is_correct(judge, seen):
    assert judge(seen).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"restarts": 1}, "restarted although nothing is wrong"),
        ({"pods": 1}, "Not all pods answer"),
        ({"spared": False}, "went on getting requests"),
        ({"left_alone": False}, "was restarted"),
        ({"revived": False}, "was not restarted"),
    ],
)
def test_every_fault_of_a_probe_has_its_reason(changed, said):
    result = wrong_probe.judge(replace(WELL, **changed))
    assert (result.outcome, said in result.reason) == (Outcome.INCORRECT, True)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"pods": 2}, "only 2 pods"),
        ({"replaced": False}, "Not every pod was replaced"),
        ({"failed_new": 1, "checked_before_use": False}, "before they served"),
        ({"failed_new": 1, "deaths": (replace(DEATH, when={SIGTERM: 0.0, RULE_GONE: 0.1}),)}, "while rules still led"),
        ({"failed_kept": 1}, "connections that clients keep were cut"),
        ({"failed_new": 1}, "over new connections failed"),
        ({"requests": 10}, "Too few"),
    ],
)
def test_every_fault_of_a_rollout_has_its_reason(changed, said):
    result = no_failure.judge(replace(ROLLED, **changed))
    assert (result.outcome, said in result.reason) == (Outcome.INCORRECT, True)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"long_answered": False, "death": replace(DEATH, exit_code=137)}, "killed in the middle"),
        ({"long_answered": False}, "ended by itself in the middle"),
        ({"failed": 2}, "new ones failed"),
        ({"death": replace(DEATH, exit_code=137)}, "had to be killed"),
        ({"death": replace(DEATH, when={GONE: 40.0})}, "more than 20 s"),
    ],
)
def test_every_fault_of_a_pods_end_has_its_reason(changed, said):
    result = long_requests.judge(replace(ENDED, **changed))
    assert (result.outcome, said in result.reason) == (Outcome.INCORRECT, True)


@pytest.mark.parametrize(
    "judge, seen",
    [
        (no_failure.judge, replace(ROLLED, failed_new=1, slow=True)),
        (no_failure.judge, replace(ROLLED, failed_kept=1, slow=True)),
        (long_requests.judge, replace(ENDED, failed=1, slow=True)),
    ],
)
def test_on_a_machine_that_is_too_busy_nobody_is_blamed(judge, seen):
    assert judge(seen).outcome is Outcome.CANNOT_CHECK


def test_what_went_well_on_a_busy_machine_went_well():
    assert no_failure.judge(replace(ROLLED, slow=True)).outcome is Outcome.CORRECT


def test_both_faults_of_a_probe_are_drawn():
    assert {wrong_probe.fault(Seed(str(number))) for number in range(20)} == {"liveness", "readiness"}


def test_defaults_that_the_api_fills_in_are_no_change():
    made = apps.http("/live")
    assert apps.unchanged(made, {**made, "successThreshold": 1, "httpGet": {**made["httpGet"], "scheme": "HTTP"}})
    assert not apps.unchanged(made, {**made, "httpGet": {"path": "/alive", "port": 8080}})


def test_of_the_failures_by_prestop_only_the_two_ends_are_told():
    curve = FailuresByPreStop({0: 40, 1: 3, 4: 0})
    assert repr(curve) == "FailuresByPreStop(no preStop: some requests failed; preStop 4 s: no request failed)"
    (axes,) = curve.plot().axes
    assert axes.get_ylabel() == "failed requests"
