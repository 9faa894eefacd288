"""Create, create again, delete."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from kubelab.lab.errors import LabError
from kubelab.workshop import handout as handout_module
from kubelab.workshop.deleting import delete, doomed
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.facts import ask
from kubelab.workshop.handout import Handout
from kubelab.workshop.making import covers, make
from kubelab.workshop.plan import BUDGETS, Plan
from kubelab.workshop.roster import Learner

SLIP = "/api/v1/namespaces/workshop-ada/configmaps/kubelab-workshop"


@pytest.fixture
def clock(cluster, monkeypatch):
    """The server's clock is the handout's too; ``clock(seconds)`` lets time pass."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(cluster.now, UTC)

    monkeypatch.setattr(handout_module, "datetime", Clock)

    def pass_by(seconds):
        cluster.now += seconds

    return pass_by


@pytest.fixture
def give(access, made, tmp_path, clock):
    def hand_out(seconds=3600, **more):
        return Handout(tmp_path / "out").give(access, Plan(), made, seconds, **more)

    return hand_out


def test_everybody_gets_everything(made, cluster):
    assert [each.problem for each in made] == ["", ""]
    assert {change for each in made for change in each.changes.values()} == {"created"}
    namespace = cluster.objects["/api/v1/namespaces/workshop-ada"]["metadata"]
    assert namespace["labels"]["kubelab.dev/learner"] == "ada"
    assert namespace["annotations"]["kubelab.dev/host"] == "ada.lab.example.test"
    assert cluster.objects[SLIP]["data"]["host"] == "ada.lab.example.test"


def test_a_second_run_changes_nothing_and_asks_little(made, access, cluster, everyone):
    del cluster.requests[:]
    again = make(access, Plan(), ask(access), everyone)
    assert [each.changes for each in again] == [{}, {}]
    assert not any(method in ("PUT", "DELETE") for method, _ in cluster.requests)
    assert len(cluster.requests) < 40


def test_what_is_missing_is_added_and_what_was_changed_is_put_right(made, access, cluster, everyone):
    del cluster.objects["/api/v1/namespaces/workshop-ada/limitranges/kubelab-workshop"]
    cluster.objects["/api/v1/namespaces/workshop-ada/resourcequotas/kubelab-workshop"]["spec"]["hard"]["pods"] = "9000"
    again = make(access, Plan(), ask(access), [*everyone, Learner("Alan Turing", "alan")])
    assert again[0].changes == {"ResourceQuota/kubelab-workshop": "changed", "LimitRange/kubelab-workshop": "created"}
    assert again[1].changes == {}
    assert len(again[2].changes) == 9


def test_a_larger_budget_reaches_those_who_are_there(made, access, cluster, everyone):
    make(access, Plan(budget=BUDGETS["large"]), ask(access), everyone)
    quota = cluster.objects["/api/v1/namespaces/workshop-grace/resourcequotas/kubelab-workshop"]
    assert quota["spec"]["hard"]["pods"] == "80"


def test_a_report_stays_when_the_rest_is_put_right(made, access, cluster, everyone):
    cluster.objects[SLIP]["data"] = {"progress": "{}", "host": "mine.example.test"}
    make(access, Plan(), ask(access), everyone)
    assert cluster.objects[SLIP]["data"]["progress"] == "{}"
    assert cluster.objects[SLIP]["data"]["host"] == "ada.lab.example.test"


def test_a_namespace_of_somebody_else_is_left_alone_and_the_others_are_made(access, cluster, everyone):
    theirs = cluster.put("/api/v1/namespaces/workshop-ada", "Namespace", {"team": "shop"})
    before = dict(theirs)
    ada, grace = make(access, Plan(), ask(access), everyone)
    assert "is there already and is not this workshop's; it was left alone" in ada.problem
    assert grace.problem == ""
    assert cluster.objects["/api/v1/namespaces/workshop-ada"] == before
    assert not any(path.startswith("/api/v1/namespaces/workshop-ada/") for path in cluster.objects)


def test_a_server_that_is_busy_is_asked_again(access, cluster, everyone, monkeypatch):
    monkeypatch.setattr("kubelab.workshop.access.BUSY_SECONDS", (0.0, 0.0))
    cluster.busy = 2
    assert ask(access).version == "v1.36.2"


def test_who_may_not_make_a_workshop_is_told_before_anything_is_made(access, cluster):
    cluster.denied = {"resourcequotas"}
    with pytest.raises(WorkshopError, match=r"You may not create resourcequotas .* needs an administrator"):
        ask(access)


def test_facts_are_asked_of_the_cluster(access, cluster):
    facts = ask(access)
    assert facts.ingress_namespaces == ("edge",)
    assert facts.api_endpoints == (("10.96.0.1", 443),)
    assert facts.pod_ranges == ("10.244.1.0/24",)
    assert (facts.guards, facts.notes) == (True, [])
    cluster.put("/api/v1/nodes/two", "Node", spec={})
    assert ask(access).pod_ranges == ()
    cluster.put("/api/v1/namespaces/class-ada/resourcequotas/kubelab-workshop", "ResourceQuota",
                {"kubelab.dev/workshop": "class"}, spec={"hard": {"services.nodeports": "12"}})  # fmt: skip
    assert ask(access).promised_node_ports == {"class-ada": 12}
    assert ask(access, ("other",)).ingress_namespaces == ("other",)
    del cluster.objects["/apis/networking.k8s.io/v1/ingressclasses/kubelab"]
    assert ask(access).notes[0].split(":")[0] == "There is no IngressClass here"


def test_each_kubeconfig_leads_to_the_own_namespace_and_only_its_owner_reads_it(give):
    ada, _ = give()
    assert stat.S_IMODE(ada.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ada.file.parent.stat().st_mode) == 0o700
    config = yaml.safe_load(ada.file.read_text())
    assert config["contexts"][0]["context"]["namespace"] == "workshop-ada"
    assert config["clusters"][0]["cluster"]["server"] == "https://cluster.example.test:6443"
    rows = (ada.file.parent / "handout.csv").read_text().splitlines()
    assert rows[1].startswith("ada,Ada Lovelace,ada@example.test,workshop-ada,ada.lab.example.test,ada.kubeconfig,2027")


def test_a_good_token_is_kept_and_one_that_ends_soon_or_is_to_be_renewed_is_not(give, clock):
    assert [each.renewed for each in give()] == [True, True]
    assert [each.renewed for each in give()] == [False, False]
    assert [each.renewed for each in give(renew=True)] == [True, True]
    clock(2800)
    assert [each.renewed for each in give()] == [True, True]


def test_a_token_of_a_namespace_that_was_made_anew_is_of_no_use(give, made, access, tmp_path):
    give()
    anew = [replace(each, account_uid="uid-other") for each in made]
    assert all(each.renewed for each in Handout(tmp_path / "out").give(access, Plan(), anew, 3600))


@pytest.mark.parametrize("text", ["", "[", "users: []", "users: [{user: {token: a.b.c}}]", "users: [{user: 1}]"])
def test_a_kubeconfig_that_is_broken_is_written_anew(give, tmp_path, text):
    give()
    (tmp_path / "out" / "ada.kubeconfig").write_text(text)
    assert [each.renewed for each in give()] == [True, False]


def test_a_server_that_shortens_tokens_is_noticed(give):
    assert [each.shortened for each in give(48 * 3600)] == [True, True]
    assert [each.shortened for each in give(3600, renew=True)] == [False, False]


def test_a_name_in_the_handout_is_no_formula(access, made, tmp_path, clock):
    (formula,) = make(access, Plan(), ask(access), [Learner("=HYPERLINK(1)", "hyperlink-1")])
    Handout(tmp_path / "out").give(access, Plan(), [formula], 3600)
    assert "hyperlink-1,'=HYPERLINK(1)," in (tmp_path / "out" / "handout.csv").read_text()


def test_a_later_list_of_newcomers_adds_to_the_handout(give, made, access, tmp_path):
    give()
    Handout(tmp_path / "out").give(access, Plan(), made[:1], 3600)
    assert (tmp_path / "out" / "handout.csv").read_text().count("\n") == 3


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkshopError, match=r"cannot be written .* --out names a folder"):
        Handout(tmp_path / "file" / "out")


def test_delete_takes_what_carries_the_label_and_nothing_else(made, access, cluster):
    cluster.put("/api/v1/namespaces/workshop-guest", "Namespace", {"kubelab.dev/workshop": "other"})
    before = set(cluster.objects)
    going = doomed(access, "workshop")
    assert going.sentence == (
        "2 namespaces and all that is in them, 2 ClusterRoles, 2 ClusterRoleBindings, "
        "1 ValidatingAdmissionPolicy, 1 ValidatingAdmissionPolicyBinding"
    )
    gone = []
    delete(access, going, gone.append)
    left = set(cluster.objects)
    assert gone == [2]
    assert not [path for path in left if "kubelab-workshop" in path or "workshop-ada" in path]
    assert {path for path in before - left if "workshop" not in path} == set()
    assert "/api/v1/namespaces/workshop-guest" in left
    assert not doomed(access, "workshop").objects


def test_one_learner_can_be_taken_away_alone(made, access, cluster):
    delete(access, doomed(access, "workshop", ["ada"]))
    assert not [path for path in cluster.objects if "workshop-ada" in path]
    assert "/api/v1/namespaces/workshop-grace" in cluster.objects
    assert "/apis/rbac.authorization.k8s.io/v1/clusterroles/kubelab-workshop-workshop" in cluster.objects
    with pytest.raises(WorkshopError, match="has no learner ada, bob; handout"):
        doomed(access, "workshop", ["grace", "ada", "bob"])


def test_covers_takes_what_the_server_has_added():
    assert covers({"a": 1, "b": {"c": [{"d": 1, "e": 2}]}}, {"b": {"c": [{"d": 1}]}})
    assert not covers({"b": {"c": [{"d": 1}, {}]}}, {"b": {"c": [{"d": 1}]}})
    assert not covers({}, {"a": {}})


def test_an_api_that_does_not_answer_ends_it(access, cluster, everyone, monkeypatch):
    facts = ask(access)
    request = cluster.request

    def dead(method, path, query=None, body=None):
        if method == "POST" and path.endswith("/namespaces"):
            raise LabError("The cluster's API does not answer.")
        return request(method, path, query, body)

    monkeypatch.setattr(cluster, "request", dead)
    with pytest.raises(LabError, match="does not answer"):
        make(access, Plan(), facts, everyone)
