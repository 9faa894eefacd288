from __future__ import annotations

import math

import pytest

from kubelab.engine.controllers.nodes.eviction import evicting_taints, seconds_tolerated

MAINTENANCE = {"key": "maintenance", "value": "now", "effect": "NoExecute"}
SILENT = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}

FOR_EVER = {"key": SILENT["key"], "operator": "Exists"}


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 0),
        ([{"key": "maintenance", "operator": "Exists", "effect": "NoExecute"}], 0),
        ([{"operator": "Exists"}], math.inf),
        ([{"operator": "Exists", "tolerationSeconds": 300}], 300),
        ([{"key": "maintenance", "value": "now", "tolerationSeconds": 60}, FOR_EVER], 60),
        ([{"operator": "Exists", "tolerationSeconds": -5}], 0),
    ],
)  # fmt: skip
def test_a_pod_stays_as_long_as_it_tolerates_every_taint(make, tolerations, seconds):
    pod = make.pod("web", spec={"tolerations": tolerations})
    assert seconds_tolerated(pod, [MAINTENANCE, SILENT]) == seconds


def test_only_noexecute_evicts(make):
    node = make.node("a", taints=[{"key": "full", "effect": "NoSchedule"}, MAINTENANCE])
    assert evicting_taints(node) == [MAINTENANCE]
    assert evicting_taints(None) == []
