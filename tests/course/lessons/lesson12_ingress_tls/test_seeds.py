"""Whatever a learner's seed draws makes a task that can be solved, and told from its neighbours."""

from kubelab.course.lessons.lesson12_ingress_tls import diagnosis, matrix, rotation, two_hosts
from kubelab.course.lessons.lesson12_ingress_tls.answers import CAUSES
from kubelab.course.seed import Seed
from kubelab.lab.authority import Authority

SEEDS = [Seed(str(number)) for number in range(200)]


def test_each_learner_has_one_fault_of_each_sort_and_every_fault_is_somebodys():
    met = set()
    for seed in SEEDS:
        faults = {case.fault for case in diagnosis.cases(seed)}
        for sort in (diagnosis.OF_THE_CERTIFICATE, diagnosis.OF_THE_CHAIN, diagnosis.OF_THE_WIRING):
            assert len(faults & set(sort)) == 1
        met |= faults
    assert met == set(CAUSES)


def test_hosts_are_names_that_can_be_certified_and_a_misspelt_one_is_another():
    authority = Authority()
    for seed in SEEDS:
        for case in diagnosis.cases(seed):
            assert (case.listed != case.host) == (case.fault == "the host is not in tls.hosts")
        names = {str(two_hosts.facts(seed)["host"]), str(two_hosts.facts(seed)["wildcard"])}
        names |= {str(rotation.facts(seed)["host"]), str(rotation.facts(seed)["other_host"])}
        assert len(names) == 4
    authority.issue(*names, *(case.listed for case in diagnosis.cases(SEEDS[-1])))


def test_the_wildcard_covers_every_branch_that_the_check_asks_for():
    for seed in SEEDS:
        _, wildcard = two_hosts.wanted(seed)
        assert len(set(wildcard.hosts)) == 2
        assert all(f"*.{host.partition('.')[2]}" == wildcard.name for host in wildcard.hosts)


def test_every_row_begins_with_a_guess_that_can_be_and_some_of_them_are_wrong():
    assert {row.hurried for row in matrix.ROWS} < set(matrix.OPTIONS)
    assert len({row.question.id for row in matrix.ROWS}) == len(matrix.ROWS)
