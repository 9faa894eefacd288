from __future__ import annotations

import copy
import re

from kubelab.engine.controllers.deployment.template import find_new, new_replicaset
from kubelab.engine.controllers.templates import same_template, template_hash


def test_the_same_template_has_the_same_hash_whatever_the_order_of_its_fields(make):
    template = make.deployment(1)["spec"]["template"]
    turned = {key: template[key] for key in reversed(template)}
    assert template_hash(template) == template_hash(turned)
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{5,10}", template_hash(template))


def test_the_hash_of_a_template_does_not_change_from_one_release_to_the_next(make):
    """Lessons store pod names without their random end."""
    assert template_hash(make.deployment(1)["spec"]["template"]) == "669b9d4f5f"


def test_another_image_or_a_restart_annotation_is_another_template(make):
    template = make.deployment(1)["spec"]["template"]
    restarted = copy.deepcopy(template)
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T12:00:00Z"}
    other = make.deployment(1, image="agnhost:2")["spec"]["template"]
    assert len({template_hash(each) for each in (template, restarted, other)}) == 3


def test_a_collision_count_gives_another_hash(make):
    template = make.deployment(1)["spec"]["template"]
    assert len({template_hash(template), template_hash(template, 1), template_hash(template, 2)}) == 3


def test_the_hash_label_and_empty_fields_make_no_difference(make):
    template = make.deployment(1)["spec"]["template"]
    labelled = copy.deepcopy(template)
    labelled["metadata"]["labels"]["pod-template-hash"] = "abc"
    labelled["metadata"]["creationTimestamp"] = None
    labelled["spec"]["securityContext"] = {}
    assert same_template(template, labelled)


def test_the_kind_of_a_volume_does_make_a_difference(make):
    one, other = (copy.deepcopy(make.deployment(1)["spec"]["template"]) for _ in range(2))
    one["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    other["spec"]["volumes"] = [{"name": "tmp"}]
    assert not same_template(one, other)


def test_the_new_replicaset_is_named_labelled_and_owned(make):
    deployment = make.deployment(3, minReadySeconds=5)
    made = new_replicaset(deployment, 2, {"note": "1"})
    hashed = template_hash(deployment["spec"]["template"])
    assert made["metadata"]["name"] == f"web-{hashed}"
    assert made["metadata"]["labels"] == {"app": "web", "pod-template-hash": hashed}
    assert made["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": hashed}}
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "web", "pod-template-hash": hashed}
    assert (made["spec"]["replicas"], made["spec"]["minReadySeconds"]) == (2, 5)
    [owner] = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        "Deployment",
        "uid-web",
        True,
        True,
    )
    assert "pod-template-hash" not in deployment["spec"]["template"]["metadata"]["labels"]


def test_the_oldest_of_several_with_the_present_template_is_the_new_one(make):
    young, old = make.replicaset("web-young", 1, age=10), make.replicaset("web-old", 1, age=100)
    other = make.replicaset("web-other", 1, image="agnhost:2", age=1000)
    assert find_new(make.deployment(1), [young, other, old]) is old
    assert find_new(make.deployment(1), [other]) is None
