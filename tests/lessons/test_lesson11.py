"""Lesson 11's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The reference learner's solutions are run by tests/privileges; that to the other faults of 11.2 is run here.
"""

import pytest

from kubelab import check, connect, solution
from kubelab.course import start
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage, three_faults, twelve
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.errors import LabError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

SEED = Seed("reference")
OTHER_FAULTS = three_faults.Faults(three_faults.CASE, three_faults.PORT, three_faults.CLASS)
OTHER = next(text for text in map(str, range(100)) if three_faults.own(Seed(text)).faults == OTHER_FAULTS)


@pytest.fixture
def lab(learner):
    lab = connect("wrong-routes")
    yield lab
    lab.reset()


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result
    return result


def paths_of(names, *, pay="Exact", front="Exact", section=None, lost=None):
    """The shop's paths; the right ones unless it is said otherwise."""
    found = [
        stage.path(front, "/", names.front, "http"),
        stage.path("Prefix", section or f"/{names.section}", names.orders, "http"),
        stage.path(pay, f"/{names.section}/{names.step}", names.till, "http"),
    ]
    return [*found, stage.path("Prefix", "/", lost, "http")] if lost else found


def test_twelve_requests_are_not_attempted_at_the_start_and_wrong_manifests_are_refused(lab):
    start("11.1")
    assert check("11.1").outcome is Outcome.NOT_ATTEMPTED
    names = twelve.own(SEED)
    default = {"defaultBackend": {"service": {"name": names.lost, "port": {"name": "http"}}}}
    api = stage.rule(names.api, [stage.path("Prefix", f"/{names.version}", names.stock, "http")])

    def apply(paths, host=names.shop, **spec):
        lab.apply(
            [stage.ingress("shop", [stage.rule(host, paths)], **{**default, **spec}), stage.ingress("api", [api])]
        )

    apply(paths_of(names, pay="Prefix"))
    refused("11.1", f"{names.section}/{names.step}/: {names.till}, wanted is {names.orders}")
    apply(paths_of(names, front="Prefix"))
    refused("11.1", f"{names.section}-old: {names.front}, wanted is {names.lost}")
    apply(paths_of(names, section=f"/{names.section}.*"))
    refused("11.1", "every sign is a letter like any other")
    apply(paths_of(names), host="")
    refused("11.1", "A rule without host is for every host that has no rules of its own")
    apply(paths_of(names), ingressClassName="nginx")
    refused("11.1", "every Ingress has an address")
    lab.delete("ingress/api")
    lab.apply(stage.ingress("shop", [stage.rule(names.shop, paths_of(names)), api], **default))
    refused("11.1", f"{names.api}/: {names.lost}, wanted is 404")


def test_a_class_that_is_not_written_and_a_changed_service_are_refused_and_other_manifests_are_right_too(lab):
    task = start("11.1")
    names = twelve.own(SEED)
    rules = [
        stage.rule(task.shop, paths_of(names, lost=names.lost)),
        stage.rule(task.api, [stage.path("Prefix", f"/{names.version}", names.stock, "http")]),
        stage.rule("", [stage.path("Prefix", "/", names.lost, "http")]),
    ]
    without_class = stage.ingress("all", rules)
    del without_class["spec"]["ingressClassName"]
    lab.apply(without_class)
    lab.wait("ingress/all", "answers")
    refused("11.1", "not every Ingress says whose it is")
    lab.apply(stage.ingress("all", rules))
    lab.wait("ingress/all", "answers")
    assert check("11.1")
    service = lab.get(f"service/{names.front}")
    lab.objects.patch(stage.kinds.SERVICE, names.front, {"spec": {"selector": {"app": names.lost}}})
    assert service["spec"]["selector"] != lab.get(f"service/{names.front}")["spec"]["selector"]
    refused("11.1", f"Service {names.front} is not what it was")


def test_three_faults_are_not_attempted_at_the_start_and_refused_while_one_is_left_or_others_have_to_pay(lab):
    start("11.2")
    assert check("11.2").outcome is Outcome.NOT_ATTEMPTED
    names = three_faults.own(SEED)
    lab.apply(names.ingresses(names.faults._replace(search="", help="")))
    refused("11.2", f"{names.cart}/7: front, wanted is cart")
    lab.apply(names.ingresses(names.faults._replace(cart="", search="")))
    refused("11.2", "200 says that an app has answered, not that it was the right one")
    lab.delete("ingress/landing")
    refused("11.2", "The Ingress landing is not what it was")
    lab.apply(names.landing)
    lab.apply(names.ingresses(None))
    lab.scale("deployment/cart", 2)
    refused("11.2", "Deployment cart is not what it was")


def test_the_other_three_faults_and_their_solution(lab, monkeypatch):
    monkeypatch.setenv("KUBELAB_SEED", OTHER)
    start("11.2")
    assert check("11.2").outcome is Outcome.NOT_ATTEMPTED
    names = three_faults.own(Seed(OTHER))
    lab.apply(names.ingresses(OTHER_FAULTS._replace(cart="")))
    refused("11.2", f"{names.search}: 503, wanted is search")
    told = solution("11.2").text
    lab.apply(told.partition('"""')[2].rpartition('"""')[0])
    assert check("11.2")


def test_nobody_begins_while_somebody_elses_ingress_takes_all_hosts(lab):
    elsewhere = stage.Lab(lab.cluster, lab.api, "somebody-else")
    elsewhere.apply(stage.ingress("all", defaultBackend={"service": {"name": "gone", "port": {"number": 80}}}))
    with pytest.raises(LabError, match="kubectl delete ingress all -n somebody-else"):
        start("11.1")
    elsewhere.reset()
    start("11.1")
