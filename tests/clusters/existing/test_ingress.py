"""Which class serves the lessons' Ingresses on somebody's cluster, and below which host."""

import pytest

from kubelab.clusters import find
from kubelab.clusters.existing import ingress
from kubelab.clusters.existing.ingress import Found, chosen, trial

NAMESPACE = "/api/v1/namespaces/team-blue"
TRIAL = "/apis/networking.k8s.io/v1/namespaces/team-blue/ingresses/kubelab-trial"


def named(name, default=False):
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}}


@pytest.mark.parametrize(
    ("classes", "wanted", "taken"),
    [
        ([named("kubelab"), named("nginx", default=True)], "", "kubelab"),
        ([named("traefik"), named("nginx", default=True)], "", "nginx"),
        ([named("traefik")], "", "traefik"),
        ([named("kubelab"), named("nginx")], "nginx", "nginx"),
    ],
)
def test_the_class_is_the_wanted_one_else_the_courses_else_the_default_else_the_only_one(classes, wanted, taken):
    assert chosen(classes, wanted) == Found(taken)


@pytest.mark.parametrize(
    ("classes", "wanted", "why"),
    [
        ([], "", "no ingress controller is there"),
        ([named("nginx"), named("traefik")], "", "several IngressClasses and no default; name one in KUBELAB_INGRESS"),
        ([named("nginx")], "kong", "no IngressClass kong, but nginx"),
    ],
)
def test_where_there_is_none_to_take_it_says_why(classes, wanted, why):
    assert why in chosen(classes, wanted).lacks


def test_the_host_is_the_workshops_by_annotation_or_config_map_else_of_the_namespace(make, there):
    make().up()
    assert find("classroom").host == "team-blue.kubelab.test"
    there.put(f"{NAMESPACE}/configmaps", "kubelab-workshop")
    there.objects[f"{NAMESPACE}/configmaps/kubelab-workshop"]["data"] = {"host": "ada.lab.example.test"}
    find("classroom").up()
    assert find("classroom").host == "ada.lab.example.test"
    there.objects[NAMESPACE]["metadata"]["annotations"] = {"kubelab.dev/host": "ada.other.example.test"}
    find("classroom").up()
    assert find("classroom").host == "ada.other.example.test"


def test_a_class_that_may_not_be_seen_is_tried_and_nothing_is_left(make, there):
    there.classes, there.served = None, {"kubelab"}
    make().up()
    assert "ingress" in find("classroom").capabilities
    assert find("classroom").ingress_class == "kubelab"
    assert ("POST", TRIAL.rpartition("/")[0]) in there.asked
    assert TRIAL not in there.objects


def test_an_ingress_that_nobody_serves_is_given_up_and_taken_away(there):
    times = iter(range(100))
    found = trial(
        there, "team-blue", Found("kubelab"), "ada.example.test", clock=lambda: next(times), sleep=lambda _: None
    )
    assert "nobody served an Ingress of the class kubelab within 10 s" in found.lacks
    assert TRIAL not in there.objects


def test_somebody_elses_ingress_of_that_name_is_left(there):
    there.put(TRIAL.rpartition("/")[0], "kubelab-trial")
    there.objects[TRIAL]["metadata"]["labels"] = {}
    ingress._take_away(there, TRIAL)
    assert TRIAL in there.objects
