from __future__ import annotations


def test_a_node_is_cut_off_and_mended_and_the_status_says_so(kubelab):
    kubelab("up")
    cut = kubelab("cut", "worker")
    assert (cut.returncode, "Node worker is cut off from the API" in cut.stdout) == (0, True)
    assert "cut off from the API: kubelab-worker (`kubelab mend NODE` ends it)" in kubelab("status").stdout
    assert kubelab("mend", "kubelab-worker").stdout == "Node kubelab-worker reaches the API again.\n"
    assert "cut off" not in kubelab("status").stdout


def test_an_unknown_node_is_answered_with_those_that_are(kubelab):
    kubelab("up")
    done = kubelab("cut", "worker9")
    assert done.returncode == 1
    assert "There is no node 'worker9'; there are kubelab-control-plane, kubelab-worker" in done.stderr
