from __future__ import annotations

from kubelab.engine.controllers.deployment.revisions import (
    HISTORY,
    REVISION,
    annotations_for,
    next_revision,
    to_clean_up,
)


def test_a_new_template_is_one_revision_on_and_takes_the_deployments_annotations(make):
    deployment = make.deployment(
        1, annotations={"team": "shop", REVISION: "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    )
    revision = next_revision([make.replicaset("web-old", 1, annotations={REVISION: "4"})])
    assert annotations_for(deployment, None, revision) == {"team": "shop", REVISION: "5"}


def test_going_back_to_an_old_template_makes_it_the_newest_revision_and_keeps_its_history(make):
    back = make.replicaset("web-a", 0, annotations={REVISION: "1"})
    once = annotations_for(make.deployment(1), back, 3)
    assert once == {REVISION: "3", HISTORY: "1"}
    twice = annotations_for(make.deployment(1), make.replicaset("web-a", 0, annotations=once), 5)
    assert twice == {REVISION: "5", HISTORY: "1,3"}


def test_a_revision_never_goes_down(make):
    new = make.replicaset("web-a", 1, annotations={REVISION: "7"})
    assert annotations_for(make.deployment(1), new, 2) == {REVISION: "7"}


def test_empty_old_ones_beyond_the_limit_go_the_earliest_first(make):
    olds = [make.replicaset(f"web-{number}", 0, annotations={REVISION: str(number)}) for number in (3, 1, 2, 10)]
    names = [each["metadata"]["name"] for each in to_clean_up(make.deployment(1, revisionHistoryLimit=2), olds)]
    assert names == ["web-1", "web-2"]


def test_one_that_still_has_pods_is_kept(make):
    olds = [make.replicaset("web-1", 0, total=1), make.replicaset("web-2", 0)]
    names = [each["metadata"]["name"] for each in to_clean_up(make.deployment(1, revisionHistoryLimit=0), olds)]
    assert names == ["web-2"]
