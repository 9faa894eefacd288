from __future__ import annotations

from kubelab.engine.controllers.endpoints.subsets import OVER_CAPACITY, endpoints_for, subsets_for


def test_ready_and_unready_addresses_stand_apart(make):
    pods = [make.pod("a", ip="10.244.1.3"), make.pod("b", ip="10.244.1.2", ready=False)]
    [subset] = subsets_for(make.service(), pods)[0]
    assert [each["ip"] for each in subset["addresses"]] == ["10.244.1.3"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["10.244.1.2"]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP", "name": "http"}]
    assert subset["addresses"][0]["targetRef"]["name"] == "a"
    assert subset["addresses"][0]["nodeName"] == "node-a"


def test_terminating_pods_are_left_out_unless_all_addresses_are_published(make):
    pods = [make.pod("a", ip="10.244.1.3", deleting=True, ready=False)]
    assert subsets_for(make.service(), pods) == ([], False)
    [subset] = subsets_for(make.service(publishNotReadyAddresses=True), pods)[0]
    assert [each["ip"] for each in subset["addresses"]] == ["10.244.1.3"]


def test_more_than_a_thousand_addresses_are_cut_off_the_unready_ones_first_and_it_is_said(make):
    pods = [make.pod(f"u{n}", ip=f"10.244.9.{n}", ready=False) for n in range(10)]
    pods += [make.pod(f"r{n}", ip=f"10.244.{n // 250}.{n % 250}") for n in range(995)]
    made = endpoints_for(make.service(), pods)
    [subset] = made["subsets"]
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (995, 5)
    assert made["metadata"]["annotations"] == {OVER_CAPACITY: "truncated"}
    fewer = endpoints_for(make.service(), pods[:20], {"metadata": {**made["metadata"]}})
    assert "annotations" not in fewer["metadata"]


def test_labels_say_who_writes_it_and_whether_the_service_is_headless(make):
    assert endpoints_for(make.service(labels={"team": "shop"}), [])["metadata"]["labels"] == {
        "team": "shop",
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
    }
    labels = endpoints_for(make.service(clusterIP="None"), [])["metadata"]["labels"]
    assert labels["service.kubernetes.io/headless"] == ""
