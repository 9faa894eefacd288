"""What others write into the status of a node or of its pods, and what their node says to it."""

from __future__ import annotations

import copy


def _node(lab) -> dict:
    return lab.api.objects["nodes"][("", "lab-worker")]


def _condition(lab, kind: str = "Ready") -> dict:
    return next(each for each in _node(lab)["status"]["conditions"] if each["type"] == kind)


def _writes(lab, what: str) -> int:
    return sum(path == what for path, _ in lab.api.patches)


async def test_a_node_that_was_called_unknown_says_within_ten_seconds_that_it_is_ready(lab):
    async with lab.agent():
        node = copy.deepcopy(_node(lab))
        for each in node["status"]["conditions"]:
            each |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting."}
        lab.api.put("nodes", node)
        await lab.clock.advance(10)
        assert (_condition(lab)["status"], _condition(lab)["reason"]) == ("True", "KubeletReady")
        assert _condition(lab, "MemoryPressure")["status"] == "False"
        assert _condition(lab)["lastTransitionTime"] == "2026-11-23T12:00:10Z"


async def test_a_node_whose_status_stays_the_same_writes_it_every_five_minutes(lab):
    async with lab.agent():
        before = _writes(lab, "nodes/lab-worker")
        await lab.clock.advance(295)
        assert _writes(lab, "nodes/lab-worker") == before
        await lab.clock.advance(10)
        assert _writes(lab, "nodes/lab-worker") == before + 1
        assert _condition(lab)["lastHeartbeatTime"] == "2026-11-23T12:05:00Z"
        assert _condition(lab)["lastTransitionTime"] == "2026-11-23T12:00:00Z"


async def test_another_ones_condition_of_a_node_stays(lab):
    async with lab.agent():
        node = copy.deepcopy(_node(lab))
        node["status"]["conditions"].insert(0, {"type": "NetworkUnavailable", "status": "False"})
        lab.api.put("nodes", node)
        before = _writes(lab, "nodes/lab-worker")
        await lab.clock.advance(20)
        assert _condition(lab, "NetworkUnavailable")["status"] == "False"
        assert _writes(lab, "nodes/lab-worker") == before


async def test_a_pod_that_somebody_else_called_unready_is_ready_again_after_one_write(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        await lab.settle()
        before = _writes(lab, "pods/web")
        pod = copy.deepcopy(lab.api.pod())
        next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")["status"] = "False"
        lab.api.put("pods", pod)
        await lab.ready()
        await lab.settle()
        assert _writes(lab, "pods/web") == before + 1


async def test_what_others_add_to_a_pod_is_no_reason_to_write_its_status(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        await lab.settle()
        before = _writes(lab, "pods/web")
        pod = copy.deepcopy(lab.api.pod())
        pod["metadata"]["labels"] = {"colour": "blue"}
        lab.api.put("pods", pod)
        await lab.settle()
        assert _writes(lab, "pods/web") == before
