"""kubectl's ways with sets, quotas, limits, budgets, priorities, policies and addresses, over HTTPS."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

MANIFESTS = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: room}
spec: {hard: {pods: "4", limits.cpu: "2"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: bounds}
spec: {limits: [{type: Container, default: {cpu: 200m}, max: {cpu: "1"}}]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: lesson}
value: 100
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {nodeSelector: {disk: ssd}, containers: [{name: main, image: "registry/app:1"}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: main, image: "registry/app:1"}]}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: store-1
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: store, uid: "1", controller: true}]
revision: 1
data: {spec: {}}
"""


async def rows(kubectl, *what: str) -> list[list[str]]:
    text = await kubectl.ok("get", *what, "--no-headers")
    return [line.split() for line in text.splitlines()]


async def test_every_kind_is_applied_shown_in_its_columns_and_taken_away_again(kubectl, api) -> None:
    await kubectl.ok("apply", "--dry-run=server", "-f", "-", stdin=MANIFESTS)
    assert await rows(kubectl, "quota,limits,pdb,netpol,ds,sts,controllerrevisions") == []
    await kubectl.ok("apply", "-f", "-", stdin=MANIFESTS)
    status = {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1", "limits.cpu": "200m"}}
    await api.patch("/api/v1/namespaces/default/resourcequotas/room/status", {"status": status})
    shown = await rows(kubectl, "quota,pc,pdb,netpol,ds,sts,controllerrevisions", "-o", "wide")
    for row in (
        ["resourcequota/room", "pods:", "1/4", "limits.cpu:", "200m/2"],
        ["priorityclass.scheduling.k8s.io/lesson", "100", "false"],
        ["poddisruptionbudget.policy/web", "50%", "N/A", "0"],
        ["networkpolicy.networking.k8s.io/closed", "app=web"],
        ["daemonset.apps/agent", "0", "0", "0", "0", "0", "disk=ssd"],
        ["statefulset.apps/store", "0/1"],
        ["controllerrevision.apps/store-1", "statefulset.apps/store", "1"],
    ):
        assert row in [each[: len(row)] for each in shown]
    await kubectl.ok("delete", "-f", "-", stdin=MANIFESTS)
    assert await rows(kubectl, "quota,limits,pdb,netpol,ds,sts") == []


async def test_they_are_described_and_explained(kubectl) -> None:
    await kubectl.ok("apply", "-f", "-", stdin=MANIFESTS)
    said = await kubectl.ok("describe", "quota,limits,pc,pdb,netpol,ds,sts")
    for words in (
        "200m",
        "Min available:",
        "50%",
        "Allowing ingress traffic",
        "Node-Selector:  disk=ssd",
    ):
        assert words in said
    for field in ("quota.spec.hard", "limits.spec.limits.default", "pdb.spec.minAvailable", "pc.value",
                  "netpol.spec.ingress", "ds.spec.updateStrategy", "sts.spec.ordinals", "ipaddress.spec"):  # fmt: skip
        assert "DESCRIPTION" in await kubectl.ok("explain", field)


async def test_addresses_say_whose_they_are(kubectl) -> None:
    assert (await rows(kubectl, "servicecidr"))[0][:2] == ["kubernetes", "10.96.0.0/16"]
    assert (await rows(kubectl, "ipaddress"))[0][:2] == ["10.96.0.1", "services/default/kubernetes"]


async def test_quotas_budgets_and_priorities_are_made_by_flags_and_a_typing_error_is_told(kubectl) -> None:
    await kubectl.ok("create", "quota", "q", "--hard=pods=9,cpu=1", "--scopes=NotTerminating")
    await kubectl.ok("create", "pdb", "p", "--selector=app=web", "--max-unavailable=1")
    await kubectl.ok("create", "priorityclass", "c", "--value=5")
    wrong = MANIFESTS.partition("---")[0].replace("hard:", "hart:")
    assert 'unknown field "spec.hart"' in await kubectl.fails("apply", "-f", "-", stdin=wrong)
