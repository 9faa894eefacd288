"""How containers and pods end: what they say, when they may start again, who goes first."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kubelab.engine.node.records import ContainerRecord
from kubelab.engine.node.restarting import wants_restart

TERM, KILL = signal.SIGTERM, signal.SIGKILL


def write_message(process, text: str) -> None:
    """What ``> /dev/termination-log`` does in the container."""
    file = next(mount.source for mount in process.program.mounts if mount.target == "/dev/termination-log")
    Path(file).write_text(text)


def terminated(lab) -> dict:
    return lab.api.container()["state"].get("terminated") or {}


async def test_what_a_container_writes_for_its_end_is_in_its_status(lab):
    async with lab.agent():
        lab.make(restartPolicy="Never")
        process = await lab.running()
        write_message(process, "x" * 5000 + "why")
        process.exit(3)
        await lab.eventually(lambda: terminated(lab))
        assert terminated(lab)["message"] == ("x" * 5000 + "why")[-4096:]


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [("FallbackToLogsOnError", 1, "gone\n"), ("FallbackToLogsOnError", 0, None), ("File", 1, None)],
)
async def test_the_log_speaks_for_a_container_that_fails_silently(lab, policy, code, message):
    async with lab.agent():
        lab.make(container={"terminationMessagePolicy": policy}, restartPolicy="Never")
        process = await lab.running()
        process.say("gone\n")
        process.exit(code)
        await lab.eventually(lambda: terminated(lab))
        assert terminated(lab).get("message") == message


async def test_a_pod_that_is_active_for_too_long_fails(lab):
    async with lab.agent():
        lab.make(activeDeadlineSeconds=60)
        process = await lab.running()
        await lab.clock.advance(59)
        assert process.signals == []
        await lab.clock.advance(1)
        await lab.eventually(lambda: lab.api.status()["phase"] == "Failed")
        assert process.signals == [TERM]
        assert lab.api.status()["reason"] == "DeadlineExceeded"
        assert lab.api.status()["message"] == "Pod was active on the node longer than the specified deadline"
        assert [each for each in lab.api.events() if each[0] == "DeadlineExceeded"]
        lab.api.delete_gracefully()
        await lab.eventually(lambda: not lab.api.objects["pods"])


async def test_a_deadline_can_be_set_on_a_pod_that_runs(lab):
    async with lab.agent():
        pod = lab.make()
        await lab.running()
        await lab.clock.advance(5)
        pod = lab.api.pod()
        lab.api.put("pods", {**pod, "spec": {**pod["spec"], "activeDeadlineSeconds": 3}})
        await lab.eventually(lambda: lab.api.status().get("reason") == "DeadlineExceeded")


async def test_hooks_that_fail_are_told_without_what_may_be_secret(lab):
    async with lab.agent():
        lab.network.commands["false"] = (1, "the password is x")
        hook = {"exec": {"command": ["false"]}}
        lab.make(container={"lifecycle": {"postStart": hook, "preStop": hook}})
        await lab.eventually(lambda: ("Killing", "FailedPostStartHook") in lab.api.events())
        told = {("FailedPostStartHook", "PostStartHook failed"), ("FailedPreStopHook", "PreStopHook failed")}
        await lab.eventually(lambda: told < set(lab.api.events()))


async def test_a_sidecar_prepares_at_once_and_ends_when_the_others_have(lab):
    hook = {"preStop": {"exec": {"command": ["prepare"]}}}
    sidecars = [
        {"name": name, "image": "registry.k8s.io/pause:3.10", "restartPolicy": "Always", "lifecycle": hook}
        for name in ("one", "two")
    ]
    async with lab.agent():
        lab.network.commands["prepare"] = (0, "")
        lab.make(initContainers=sidecars)
        await lab.ready()
        one, two, main = lab.network.mains
        main.ignores = two.ignores = {TERM}
        lab.api.delete_gracefully(seconds=30)
        await lab.eventually(lambda: main.signals == [TERM])
        joined = {one.id, two.id}
        await lab.eventually(
            lambda: {each.program.join for each in lab.network.processes if each.program.argv == ["prepare"]} == joined
        )
        assert one.signals == two.signals == []
        main.exit(0)
        await lab.eventually(lambda: two.signals == [TERM])
        assert one.signals == []
        two.exit(0)
        await lab.eventually(lambda: one.signals == [TERM])


@pytest.mark.parametrize(
    ("spec", "pod_policy", "code", "again"),
    [
        ({}, "Always", 0, True),
        ({}, "OnFailure", 0, False),
        ({}, "OnFailure", 1, True),
        ({"restartPolicy": "Never"}, "Always", 1, False),
        ({"restartPolicy": "Never", "restartPolicyRules": [{"codes": [42]}]}, "Always", 42, True),
        ({"restartPolicy": "Never", "restartPolicyRules": [{"codes": [42]}]}, "Always", 1, False),
        ({"restartPolicyRules": [{"codes": [42], "operator": "NotIn"}]}, "Never", 1, True),
    ],
)
def test_a_containers_own_rules_come_before_its_pods(spec, pod_policy, code, again):
    rules = [
        {"action": "Restart", "exitCodes": {"operator": each.get("operator", "In"), "values": each["codes"]}}
        for each in spec.get("restartPolicyRules", ())
    ]
    record = ContainerRecord({"name": "web", **spec, "restartPolicyRules": rules})
    assert wants_restart(record, pod_policy, code) is again
