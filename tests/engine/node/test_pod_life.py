from __future__ import annotations

import signal

from kubelab.engine import images

TERM, KILL = signal.SIGTERM, signal.SIGKILL


async def test_a_pod_without_a_probe_is_ready_at_once(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        status = lab.api.status()
        assert status["phase"] == "Running"
        assert status["podIP"] == "10.244.1.2"
        assert status["podIPs"] == [{"ip": "10.244.1.2"}]
        assert status["hostIP"] == "172.18.0.3"
        assert status["qosClass"] == "BestEffort"
        assert [each["type"] for each in status["conditions"]] == [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled",
        ]
        assert {each["status"] for each in status["conditions"]} == {"True"}
        assert lab.api.condition("PodScheduled")["lastTransitionTime"] == "2026-11-23T11:59:00Z"
        container = lab.api.container()
        assert container["state"] == {"running": {"startedAt": "2026-11-23T12:00:00Z"}}
        assert container["containerID"].startswith("kubelab://")
        assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
        await lab.eventually(lambda: len(lab.api.events()) == 3)
        image = "registry.k8s.io/e2e-test-images/agnhost:2.53"
        pulled = f'Container image "{image}" already present on machine and can be accessed by the pod'
        assert lab.api.events() == [
            ("Pulled", f"{pulled}; kubelab runs a stand-in for this image: {images.resolve(image).says}"),
            ("Created", "Container created"),
            ("Started", "Container started"),
        ]


async def test_the_program_is_what_the_image_and_the_pod_say(lab):
    async with lab.agent():
        lab.make(container={"env": [{"name": "COLOUR", "value": "blue"}], "args": ["netexec", "--x=$(COLOUR)"]})
        program = (await lab.running()).program
        assert program.argv == ("/agnhost", "netexec", "--x=blue")
        assert program.entry == "kubelab.engine.images.agnhost:main"
        assert program.hostname == "web"
        assert program.env["HOSTNAME"] == "web"
        assert program.files["/etc/hosts"].endswith("10.244.1.2\tweb\n")
        assert program.files["/etc/resolv.conf"] == (
            "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
        )


async def test_a_deleted_pod_gets_sigterm_and_leaves_when_it_has_ended(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        process = await lab.running()
        lab.api.delete_gracefully()
        await lab.eventually(lambda: not lab.api.objects["pods"])
        assert process.signals == [TERM]
        assert lab.network.pods == {}
        last = [patch for path, patch in lab.api.patches if path == "pods/web"][-1]["status"]
        assert last["phase"] == "Succeeded"
        assert last["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
        assert {each["type"]: each["status"] for each in last["conditions"]}["Ready"] == "False"
        await lab.eventually(lambda: ("Killing", "Stopping container web") in lab.api.events())
        assert list(lab.tmp_path.glob("*/lab-worker/*")) == []


async def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace_period(lab):
    async with lab.agent():
        lab.make()
        await lab.ready()
        process = await lab.running()
        process.ignores = {TERM}
        lab.api.delete_gracefully(seconds=10)
        await lab.clock.advance(9)
        assert process.signals == [TERM]
        assert lab.api.status()["phase"] == "Running"
        await lab.clock.advance(1)
        await lab.eventually(lambda: not lab.api.objects["pods"])
        assert process.signals == [TERM, KILL]
        last = [patch for path, patch in lab.api.patches if path == "pods/web"][-1]["status"]
        assert (last["phase"], last["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == ("Failed", 137)


async def test_a_second_delete_can_shorten_the_grace_period(lab):
    async with lab.agent():
        lab.make()
        process = await lab.running()
        process.ignores = {TERM}
        lab.api.delete_gracefully(seconds=300)
        await lab.clock.advance(5)
        lab.api.delete_gracefully(seconds=1)
        await lab.clock.advance(1)
        await lab.eventually(lambda: not lab.api.objects["pods"])
        assert process.signals == [TERM, KILL]


async def test_a_pod_deleted_by_force_gets_one_second(lab):
    async with lab.agent():
        lab.make()
        process = await lab.running()
        process.ignores = {TERM}
        lab.api.remove("pods", "default", "web")
        await lab.eventually(lambda: process.signals == [TERM])
        await lab.clock.advance(1)
        await lab.eventually(lambda: lab.network.pods == {})
        assert process.signals == [TERM, KILL]


async def test_pre_stop_runs_before_sigterm_and_counts_against_the_grace_period(lab):
    async with lab.agent():
        lab.make(container={"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}})
        process = await lab.running()
        lab.api.delete_gracefully()
        await lab.clock.advance(4)
        assert process.signals == []
        await lab.clock.advance(1)
        await lab.eventually(lambda: not lab.api.objects["pods"])
        assert process.signals == [TERM]


async def test_a_container_that_ends_is_started_again_at_once_and_then_backs_off(lab):
    async with lab.agent():
        lab.make()
        (await lab.running()).exit(3)
        await lab.eventually(lambda: lab.api.container().get("restartCount") == 1)
        await lab.eventually(lambda: "running" in lab.api.container()["state"])
        container = lab.api.container()
        assert container["lastState"]["terminated"]["exitCode"] == 3
        assert container["lastState"]["terminated"]["reason"] == "Error"
        lab.network.mains[-1].exit(3)
        await lab.eventually(lambda: "waiting" in lab.api.container()["state"])
        assert lab.api.container()["state"]["waiting"] == {
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container=web pod=web_default(uid-web)",
        }
        assert lab.api.status()["phase"] == "Running"
        assert lab.api.condition("Ready")["status"] == "False"
        await lab.clock.advance(9)
        assert lab.api.container()["restartCount"] == 1
        await lab.clock.advance(1)
        await lab.eventually(lambda: lab.api.container()["restartCount"] == 2)
        lab.network.mains[-1].exit(3)
        await lab.eventually(lambda: "back-off 20s" in str(lab.api.container()["state"]))


async def test_a_pod_that_is_not_restarted_ends_succeeded_or_failed(lab):
    async with lab.agent():
        for name, policy, code, phase in (
            ("done", "OnFailure", 0, "Succeeded"),
            ("broken", "Never", 7, "Failed"),
            ("fine", "Never", 0, "Succeeded"),
        ):
            lab.make(name, restartPolicy=policy)
            (await lab.running(name)).exit(code)
            await lab.eventually(lambda: lab.api.status(name)["phase"] == phase)  # noqa: B023
            reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
            assert lab.api.condition("Ready", name)["reason"] == reason
        await lab.eventually(lambda: lab.network.pods == {})
        lab.api.delete_gracefully("done")
        await lab.eventually(lambda: ("default", "done") not in lab.api.objects["pods"])


async def test_init_containers_run_one_after_the_other_before_the_pod(lab):
    async with lab.agent():
        inits = [{"name": name, "image": "python:3.12", "command": ["true"]} for name in ("first", "second")]
        lab.make(initContainers=inits)
        await lab.eventually(lambda: len(lab.network.mains) == 1)
        await lab.eventually(lambda: lab.api.condition("Initialized").get("reason") == "ContainersNotInitialized")
        assert lab.api.status()["phase"] == "Pending"
        assert lab.api.container()["state"] == {"waiting": {"reason": "PodInitializing"}}
        lab.network.mains[0].exit(0)
        await lab.eventually(lambda: len(lab.network.mains) == 2)
        lab.network.mains[1].exit(1)
        await lab.eventually(lambda: len(lab.network.mains) == 3)
        assert lab.network.mains[2].program.argv == ("true",)
        lab.network.mains[2].exit(0)
        await lab.ready()
        second = lab.api.status()["initContainerStatuses"][1]
        assert (second["ready"], second["restartCount"], second["state"]["terminated"]["exitCode"]) == (True, 1, 0)


async def test_a_sidecar_runs_beside_the_pod_and_ends_after_it(lab):
    async with lab.agent():
        sidecar = {"name": "proxy", "image": "python:3.12", "command": ["proxy"], "restartPolicy": "Always"}
        lab.make(initContainers=[sidecar], restartPolicy="Never")
        await lab.ready()
        assert [process.program.argv[0] for process in lab.network.mains] == ["proxy", "/agnhost"]
        lab.network.mains[1].exit(0)
        await lab.eventually(lambda: lab.api.status()["phase"] == "Succeeded")
        assert lab.network.mains[0].signals == [TERM]


async def test_a_new_image_restarts_the_container(lab):
    async with lab.agent():
        pod = lab.make()
        first = await lab.running()
        pod = lab.api.pod()
        pod["spec"]["containers"][0] |= {"image": "python:3.12", "args": []}
        lab.api.put("pods", pod)
        await lab.eventually(lambda: lab.api.container().get("restartCount") == 1)
        assert first.signals == [TERM]
        assert lab.network.mains[-1].program.argv == ("python3",)
        assert lab.api.container()["image"] == "docker.io/library/python:3.12"


async def test_a_program_that_cannot_start_is_a_start_error(lab):
    async with lab.agent():
        lab.network.missing = {"nonsense"}
        lab.make(container={"command": ["nonsense"]}, restartPolicy="Never")
        await lab.eventually(lambda: lab.api.status().get("phase") == "Failed")
        ended = lab.api.container()["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        assert "not found in $PATH" in ended["message"]
