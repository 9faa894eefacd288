"""Ephemeral containers: what ``kubectl debug`` adds to a pod that runs."""

from __future__ import annotations

import copy


def add(lab, name: str = "debugger", **container) -> None:
    pod = copy.deepcopy(lab.api.pod())
    more = {"name": name, "image": "nicolaka/netshoot", "command": ["sh"], **container}
    pod["spec"]["ephemeralContainers"] = [*pod["spec"].get("ephemeralContainers", ()), more]
    lab.api.put("pods", pod)


def states(lab) -> dict[str, dict]:
    return {each["name"]: each["state"] for each in lab.api.status().get("ephemeralContainerStatuses", ())}


async def test_it_starts_in_a_running_pod_and_is_never_started_again(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        add(lab, stdin=True, tty=True)
        await lab.eventually(lambda: "running" in states(lab).get("debugger", {}))
        process = lab.network.mains[1]
        assert (process.place, process.program.argv, process.program.tty) == (("pod", "uid-web"), ("sh",), True)
        assert len(lab.api.status()["containerStatuses"]) == 1
        process.exit(1)
        await lab.eventually(lambda: "terminated" in states(lab)["debugger"])
        await lab.clock.advance(100)
        assert len(lab.network.mains) == 2
        assert lab.api.status()["phase"] == "Running"
        assert lab.api.condition("Ready")["status"] == "True"
        started = [each for each in lab.api.objects["events"].values() if each["reason"] == "Started"]
        assert started[-1]["involvedObject"]["fieldPath"] == "spec.ephemeralContainers{debugger}"


async def test_it_ends_with_its_pod(lab):
    async with lab.agent():
        lab.make(restartPolicy="Never")
        main = await lab.running()
        add(lab)
        await lab.eventually(lambda: "running" in states(lab).get("debugger", {}))
        main.exit(0)
        await lab.eventually(lambda: lab.api.status()["phase"] == "Succeeded")
        assert lab.network.mains[1].signals == [15]


async def test_with_a_target_it_shares_that_containers_namespaces(lab):
    async with lab.agent():
        lab.make()
        main = await lab.running()
        add(lab, targetContainerName="web")
        await lab.eventually(lambda: "running" in states(lab).get("debugger", {}))
        assert lab.network.processes[-1].program.join == main.id


async def test_a_target_that_does_not_run_is_told(lab):
    async with lab.agent():
        lab.make(initContainers=[{"name": "first", "image": "python", "command": ["python"]}])
        await lab.eventually(lambda: len(lab.network.mains) == 1)
        add(lab, targetContainerName="web")
        await lab.eventually(lambda: "terminated" in states(lab).get("debugger", {}))
        ended = states(lab)["debugger"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        assert ended["message"] == 'unable to find target container "web": it does not run'


async def test_it_is_not_started_again_by_an_agent_that_comes_later(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        add(lab)
        await lab.eventually(lambda: "running" in states(lab).get("debugger", {}))
    async with lab.agent():
        await lab.eventually(lambda: "terminated" in states(lab)["debugger"])
        await lab.ready()
        assert len(lab.network.mains) == 1
