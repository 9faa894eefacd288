"""Two learners of a workshop write the same hosts at the same time, on one ingress controller."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.clusters.existing.cluster import ExistingCluster
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import ingress, path, rule, set_up
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.guest import GuestApi
from kubelab.lab.lab import Lab
from kubelab.workshop.access import open_cluster
from kubelab.workshop.facts import ask
from kubelab.workshop.handout import Handout
from kubelab.workshop.making import make
from kubelab.workshop.plan import Plan
from kubelab.workshop.roster import Learner

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

PLAN = Plan("class")
LEARNERS = [Learner("Ada Lovelace", "ada"), Learner("Grace Hopper", "grace")]
SHOP, NOBODY = "http://shop.example.test/", "http://nobody.example.test/"


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """A lab for each of two learners, with the rights that a workshop gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        for variable in ("KUBELAB_NAMESPACE", "KUBELAB_CONTEXT", "KUBELAB_IMAGE", "KUBELAB_INGRESS_CLASS"):
            patch.delenv(variable, raising=False)
        base = EmbeddedCluster(f"hosts-{uuid.uuid4().hex[:6]}")
        try:
            base.up()
            access = open_cluster(base.kubeconfig)
            made = make(access, PLAN, ask(access), LEARNERS)
            given = Handout(tmp_path_factory.mktemp("handout")).give(access, PLAN, made, 3600)
            yield [attached(patch, learner, each.file) for learner, each in zip(LEARNERS, given, strict=True)]
        finally:
            base.down()


def attached(patch, learner, kubeconfig):
    patch.setenv("KUBECONFIG", str(kubeconfig))
    cluster = ExistingCluster(f"mine-{learner.label}")
    cluster.up()
    api = GuestApi(KubeconfigApi(cluster.kubeconfig), "lesson-11", cluster.namespace, "", cluster.host, "kubelab")
    return Lab(cluster, api, "lesson-11")


def at_once(labs, do):
    with ThreadPoolExecutor(len(labs)) as pool:
        return list(pool.map(do, labs))


def serve(lab, open_to_all):
    """A shop, whose hosts nobody names are for ``lost`` where it is open to all."""
    set_up(lab, "front", "lost")
    rest = {"defaultBackend": {"service": {"name": "lost", "port": {"number": 80}}}} if open_to_all else {}
    lab.apply(ingress("shop", [rule("shop.example.test", [path("Prefix", "/", "front")])], **rest))
    lab.wait("ingress/shop", "answers", timeout=120)


def words(lab, *urls):
    """Who answers; a pod that is not the lab's has no name in it."""
    return [reply.words for reply in lab.requests(*urls, n=5)]


def test_each_has_a_host_of_the_workshops(labs):
    assert [lab.hosts.own for lab in labs] == [PLAN.host(learner) for learner in LEARNERS]
    assert all("ingress" in lab.cluster.capabilities for lab in labs)


def test_the_same_hosts_at_the_same_time_and_each_meets_the_own_pods_only(labs):
    ada, grace = labs
    at_once(labs, lambda lab: serve(lab, open_to_all=lab is ada))
    assert words(ada, SHOP, NOBODY) == ["front", "lost"] * 5
    assert words(grace, SHOP, NOBODY) == ["front", "404"] * 5
    seen = [{reply.saw["host"] for reply in lab.requests(SHOP)} for lab in labs]
    assert seen == [{"shop.example.test"}] * 2

    certificates = at_once(labs, lambda lab: lab.certificate("shop.example.test"))
    secured = {"tls": [{"hosts": ["shop.example.test"], "secretName": "shop-tls"}]}
    for lab, certificate in zip(labs, certificates, strict=True):
        lab.apply(ingress("shop", [rule("shop.example.test", [path("Prefix", "/", "front")])], **secured))
        shaken = lab.tls("shop.example.test", until=certificate)
        assert (shaken.verified, shaken.names, shaken.secret) == (True, ("shop.example.test",), "shop-tls")

    grace.delete("ingress/shop")
    grace.apply(ingress("other", [rule("other.example.test", [path("Prefix", "/", "front")])]))
    grace.wait("ingress/other", "answers", timeout=120)
    assert words(grace, SHOP) == ["404"] * 5
    assert words(ada, SHOP, "http://other.example.test/") == ["front", "404"] * 5
