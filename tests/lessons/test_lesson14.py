"""Lesson 14's checks on a real cluster: the unsolved start fails, the solution passes, named wrong answers are refused.

The notebooks, with the solutions and their outcomes, are run by tests/privileges.
"""

import pytest
import yaml

from kubelab import check, connect
from kubelab.course import start
from kubelab.course.lessons.lesson14_gateway_api import canary, migrated, repaired, take_away, telling
from kubelab.course.lessons.lesson14_gateway_api.intervals import binomial
from kubelab.course.lessons.lesson14_gateway_api.objects import beside, gateway, http_route, listener, rule
from kubelab.course.seed import Seed
from kubelab.grading import Outcome

on_a_cluster = [pytest.mark.engine, pytest.mark.timeout(180)]
SEED = Seed("reference")


def objects(text):
    return list(yaml.safe_load_all(text))


def the(listed, kind, name):
    return next(each for each in listed if (each["kind"], each["metadata"]["name"]) == (kind, name))


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def solved(task_id):
    result = check(task_id)
    assert result.outcome is Outcome.CORRECT, result


@pytest.mark.parametrize(
    ("n", "share", "low", "high"), [(1000, 0.1, 70, 132), (400, 0.5, 167, 233), (400, 0, 0, 0), (400, 1, 400, 400)]
)
def test_an_interval_is_where_chance_leaves_a_share(n, share, low, high):
    assert binomial(n, share) == (low, high)


class TestOnACluster:
    pytestmark = on_a_cluster

    @pytest.fixture
    def lab(self, learner, monkeypatch):
        lab = connect("wrong-gateways")
        monkeypatch.setattr(telling, "GOOD_SECONDS", 1.0)
        monkeypatch.setattr(migrated, "REQUEST_SECONDS", 0.7)
        monkeypatch.setattr(canary, "REQUESTS", 400)
        yield lab
        lab.reset()

    def test_a_migration_is_refused_while_anything_is_answered_otherwise_and_while_the_ingress_is_there(self, lab):
        start("14.1")
        assert check("14.1").outcome is Outcome.NOT_ATTEMPTED
        names, right = migrated.own(SEED), objects(migrated.secrets(SEED)["manifest"])
        edge = the(right, "Gateway", names.gateway)
        lab.apply(gateway("another", listener()))
        refused("14.1", f"There is no Gateway {names.gateway}; there is another")
        lab.delete("gateway/another")

        without_tls = {**edge, "spec": {**edge["spec"], "listeners": edge["spec"]["listeners"][:1]}}
        lab.apply([without_tls, *right[1:]])
        lab.wait(f"gateway/{names.gateway}")
        refused("14.1", "who says that something listens at 443")

        lab.apply(right)
        branches = the(right, "HTTPRoute", "branches")
        wide = {**branches, "spec": {**branches["spec"], "hostnames": [f"*.{names.host}"]}}
        lab.apply(wide)
        lab.wait("httproute/branches", "Accepted")
        refused("14.1", "How many labels")

        lab.apply(branches)
        lab.wait("httproute/branches", "answers")
        refused("14.1", "there is still an Ingress")
        lab.apply(http_route("left-over", {"name": names.gateway}, ["old.test"], rule({"nobody": 1})))
        lab.delete(f"ingress/{migrated.INGRESS}")
        refused("14.1", "BackendNotFound")
        lab.delete("httproute/left-over")
        solved("14.1")

    def test_a_canary_by_replicas_or_for_everybody_with_the_header_is_refused(self, lab):
        start("14.2")
        assert check("14.2").outcome is Outcome.NOT_ATTEMPTED
        names = canary.own(SEED)

        def route(*rules):
            lab.apply(http_route(canary.ROUTE, {"name": canary.GATEWAY}, [names.host], *rules))
            lab.wait(f"httproute/{canary.ROUTE}", "Accepted")

        def tester(kind="Exact", value=names.value):
            header = {"name": names.header, "value": value, "type": kind}
            return rule({names.new: 1}, names.port, matches=[{"headers": [header]}])

        everybody = rule({names.old: 100 - names.percent, names.new: names.percent}, names.port)
        route(rule({names.old: 50, names.new: 50}, names.port), tester())
        refused("14.2", f"{names.percent} % are wanted")
        route(everybody)
        refused("14.2", "Not every tester")
        route(everybody, tester("RegularExpression", ".*"))
        refused("14.2", "whatever it says")
        route(rule({names.old: 100 - names.percent, "nobody": names.percent}, names.port), tester())
        refused("14.2", "Some requests get 500")
        lab.scale(f"deployment/{names.old}", 3)
        refused("14.2", f"Deployment {names.old} is not what it was")
        lab.scale(f"deployment/{names.old}", 1)
        route(everybody, tester())
        solved("14.2")

    def test_a_door_that_is_opened_too_wide_is_refused(self, lab):
        platform, neighbour = beside(lab, repaired.PLATFORM), beside(lab, repaired.NEIGHBOUR)
        try:
            start("14.3")
            assert check("14.3").outcome is Outcome.NOT_ATTEMPTED
            names = repaired.own(SEED)
            lab.apply(names.grant(lab))
            refused("14.3", "as they should be")

            right = names.gateway(lab)
            (https,) = right["spec"]["listeners"]
            platform.apply(gateway(repaired.GATEWAY, {**https, "allowedRoutes": {"namespaces": {"from": "All"}}}))
            platform.wait(f"gateway/{repaired.GATEWAY}")
            refused("14.3", "so is the route of the team next door")

            platform.apply(right)
            platform.wait(f"gateway/{repaired.GATEWAY}")
            wide = names.grant(lab)
            del wide["spec"]["to"][0]["name"]
            lab.apply(wide)
            refused("14.3", "more is lent than that")
            lab.apply(names.grant(lab))
            solved("14.3")
        finally:
            take_away(platform, neighbour)
