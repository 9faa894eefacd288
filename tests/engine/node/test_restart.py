"""The engine or its network went down and came up again: nothing acknowledged is lost."""

from __future__ import annotations

import pytest

from kubelab.engine.network.contract import NetworkLost


async def test_a_running_pod_comes_back_with_its_address_and_one_restart(lab):
    async with lab.agent():
        lab.make("other")
        await lab.ready("other")
        lab.make()
        await lab.ready()
        assert lab.api.status()["podIP"] == "10.244.1.3"
        before = lab.api.container()["containerID"]
    async with lab.agent():
        await lab.eventually(lambda: lab.api.container()["restartCount"] == 1 and lab.api.container()["ready"])
        lab.make("third")
        await lab.ready("third")
        assert lab.api.status()["podIP"] == "10.244.1.3"
        assert lab.api.status("third")["podIP"] == "10.244.1.4"
        last = lab.api.container()["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"], last["containerID"]) == (137, "Error", before)
        assert lab.network.pods["uid-web"] == "10.244.1.3"


async def test_a_finished_pod_stays_finished(lab):
    async with lab.agent():
        lab.make(restartPolicy="Never")
        (await lab.running()).exit(0)
        await lab.eventually(lambda: lab.api.status()["phase"] == "Succeeded")
    async with lab.agent():
        await lab.settle()
        assert lab.network.mains == []
        assert lab.api.status()["phase"] == "Succeeded"
        lab.api.delete_gracefully()
        await lab.eventually(lambda: not lab.api.objects["pods"])


async def test_a_pod_deleted_while_the_engine_was_down_is_taken_away(lab):
    async with lab.agent():
        lab.make()
        lab.make("forced")
        await lab.ready()
        await lab.ready("forced")
    lab.api.delete_gracefully()
    lab.api.remove("pods", "default", "forced")
    async with lab.agent():
        await lab.eventually(lambda: not lab.api.objects["pods"])
        assert lab.network.mains == []
        assert list(lab.tmp_path.glob("*/lab-worker/*")) == []


async def test_the_log_of_the_run_before_is_still_there(lab):
    async with lab.agent():
        lab.make()
        (await lab.running()).say("hello\n")
        await lab.settle()
    async with lab.agent() as agent:
        await lab.eventually(lambda: lab.api.container()["restartCount"] == 1)
        chunks = agent.api.logs("default", "web", "web", {"previous": "true"})
        assert b"".join([chunk async for chunk in chunks]) == b"hello\n"


async def test_a_lost_network_ends_the_agent(lab):
    with pytest.raises(NetworkLost):
        async with lab.agent() as agent:
            lab.network.gone.set()
            await agent.run()


async def test_the_node_is_registered_as_kind_does_and_renews_its_lease(lab):
    async with lab.agent():
        node = lab.api.objects["nodes"][("", "lab-worker")]
        assert node["spec"] == {
            "podCIDR": "10.244.1.0/24",
            "podCIDRs": ["10.244.1.0/24"],
            "providerID": "kind://kubelab/lab/lab-worker",
        }
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "lab-worker"
        ready = next(each for each in node["status"]["conditions"] if each["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("True", "KubeletReady")
        assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.2"
        lease = lab.api.objects["leases"][("kube-node-lease", "lab-worker")]
        await lab.clock.advance(10)
        renewed = lab.api.objects["leases"][("kube-node-lease", "lab-worker")]
        assert renewed["spec"]["renewTime"] > lease["spec"]["renewTime"]
