"""Lesson 3's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions themselves are run, and their outcomes compared, by tests/privileges.
"""

import pytest

from kubelab import check, connect, predict
from kubelab.course import start
from kubelab.course.lessons.lesson03_the_packet_through_iptables import answer, nat_rules, trial
from kubelab.course.lessons.lesson03_the_packet_through_iptables.experiments import client_node
from kubelab.course.seed import Seed
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture
def lab(learner):
    return connect("wrong-chains")


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in repr(result), result


def test_one_endpoint_is_not_attempted_at_first_and_other_chains_are_refused(lab):
    task = start("3.1")
    assert check("3.1").outcome is Outcome.NOT_ATTEMPTED
    predict("3.rise", 4)
    assert check("3.1").outcome is Outcome.NOT_ATTEMPTED
    chains = nat_rules.read(lab, task.service, client_node(lab))
    pod = lab.pod(task.pod)
    right = chains.chain_to(f"{pod.ip}:{pod.port}")
    answer("3.1", chain=chains.service_chain)
    refused("3.1", "is the Service's own chain, which draws")
    answer("3.1", chain=next(chain for chain in chains.endpoints if chain != right))
    refused("3.1", "but another pod's")
    answer("3.1", chain=right)
    result = check("3.1")
    assert result.outcome is Outcome.CORRECT, result
    assert result.measured["rose"] == result.measured["answered"] > 0


def test_a_whole_service_is_not_attempted_at_first_and_wrong_readings_are_refused(lab):
    task = start("3.2")
    assert check("3.2").outcome is Outcome.NOT_ATTEMPTED
    own = trial.setting(Seed("reference"), "3.2")
    node = client_node(lab)
    chains, others = (nat_rules.read(lab, service, node) for service in (task.service, own.decoy))

    def write(**instead):
        right = {"node": node, "service_chain": chains.service_chain, "endpoints": chains.endpoints}
        answer("3.2", **{**right, **instead})

    write(service_chain=others.service_chain, endpoints=others.endpoints)
    refused("3.2", "These chains belong to another Service.")
    write(endpoints=dict(list(chains.endpoints.items())[1:]))
    refused("3.2", "One endpoint is missing.")
    write(endpoints={chains.service_chain: next(iter(chains.endpoints.values()))})
    refused("3.2", "draws and translates nothing")
    other = next(each.name for each in lab.cluster.nodes() if each.name != node)
    write(node=other)
    refused("3.2", f"On {other} no counter rose")
    write(node="nowhere")
    refused("3.2", "There is no node 'nowhere'")
    write()
    assert check("3.2").outcome is Outcome.CORRECT
