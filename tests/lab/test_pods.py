from kubelab.lab.pods import Aliases


def pod(name, created, *, uid=None, owner="web-abc", ready=True, deleted=False):
    metadata = {
        "name": name,
        "uid": uid or name,
        "creationTimestamp": created,
        "labels": {"pod-template-hash": "abc"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": owner}] if owner else [],
    }
    if deleted:
        metadata["deletionTimestamp"] = created
    status = {"podIP": "10.244.1.2", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    spec = {"containers": [{"name": "web", "ports": [{"containerPort": 8080}]}]}
    return {"metadata": metadata, "spec": spec, "status": status}


def test_pods_are_numbered_in_the_order_of_their_creation():
    seen = Aliases().view([pod("web-abc-zz", "1"), pod("web-abc-aa", "2"), pod("web-abc-mm", "2")])
    assert seen.names == {"web-1": "web-abc-zz", "web-2": "web-abc-aa", "web-3": "web-abc-mm"}


def test_a_successor_gets_a_number_of_its_own():
    aliases = Aliases()
    aliases.view([pod("web-abc-a", "1"), pod("web-abc-b", "1")])
    assert [p.alias for p in aliases.view([pod("web-abc-b", "1"), pod("web-abc-c", "2")])] == ["web-2", "web-3"]


def test_the_same_name_with_another_uid_is_another_pod():
    aliases = Aliases()
    assert aliases.view([pod("x", "1", uid="one")])[0].alias == "web-1"
    assert aliases.view([pod("x", "2", uid="two")])[0].alias == "web-2"


def test_a_pod_with_a_name_of_its_own_keeps_it():
    assert Aliases().view([pod("kubelab-client", "1", owner=None)])[0].alias == "kubelab-client"


def test_what_a_pod_shows_is_its_alias_and_its_state():
    seen = Aliases().view([pod("a", "1"), pod("b", "2", ready=False), pod("c", "3", deleted=True)])
    assert repr(seen) == "Pods(web-1 ready, web-2 not ready, web-3 terminating)"
    assert seen[0].port == 8080


def test_a_container_that_cannot_start_says_why():
    broken = pod("a", "1", ready=False)
    broken["status"]["containerStatuses"] = [
        {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    ]
    assert repr(Aliases().view([broken])[0]) == "Pod(web-1, ErrImagePull: no such image)"
