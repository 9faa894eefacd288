from __future__ import annotations


def test_the_mode_of_every_node_is_said_and_switched(kubelab):
    kubelab("up")
    assert kubelab("proxy-mode").stdout.split() == ["one", "iptables", "two", "iptables"]
    assert kubelab("proxy-mode", "nftables").stdout.startswith("All nodes serve by nftables after ")
    assert kubelab("proxy-mode").stdout.split() == ["one", "nftables", "two", "nftables"]


def test_a_cluster_may_be_brought_up_in_a_mode(kubelab):
    up = kubelab("up", "--proxy-mode", "ipvs")
    assert "  kube-proxy  ipvs (evaluated: no IPVS)" in up.stdout.splitlines()
    assert kubelab("proxy-mode").stdout.splitlines()[1].split(maxsplit=1) == ["two", "ipvs (evaluated: no IPVS)"]
    assert kubelab("up").returncode == 0
    assert "ipvs" in kubelab("proxy-mode").stdout


def test_nodes_that_differ_are_said_to(kubelab):
    kubelab("up", manner="differs")
    done = kubelab("proxy-mode", manner="differs")
    assert done.stdout.split() == ["one", "iptables", "two", "nftables"]
    assert done.stderr == "The nodes differ; `kubelab proxy-mode MODE` makes them agree.\n"


def test_without_a_cluster_it_says_how_to_get_one_and_a_mode_that_is_none_is_refused(kubelab):
    assert kubelab("proxy-mode").stderr == "kubelab: There is no cluster 'kubelab'; `kubelab up` makes one.\n"
    assert "'userspace' is not one of 'iptables', 'nftables', 'ipvs'" in kubelab("proxy-mode", "userspace").stderr
