"""Why a container may wait: its image, its configuration, its volumes."""

from __future__ import annotations

from pathlib import Path

import pytest


def waiting(lab) -> dict:
    return lab.api.container()["state"].get("waiting") or {}


async def test_an_unknown_image_backs_off_and_the_event_lists_the_images_there_are(lab):
    async with lab.agent():
        lab.make(container={"image": "redis:8"})
        await lab.eventually(lambda: waiting(lab).get("reason") == "ErrImagePull")
        assert lab.api.status()["phase"] == "Pending"
        await lab.clock.advance(2)
        await lab.eventually(lambda: waiting(lab)["reason"] == "ImagePullBackOff")
        assert waiting(lab)["message"].startswith('Back-off pulling image "redis:8": ErrImagePull: ')
        message = next(text for reason, text in lab.api.events() if text.startswith("Failed to pull"))
        assert 'failed to resolve image "docker.io/library/redis:8"' in message
        assert "registry.k8s.io/e2e-test-images/agnhost" in message
        assert "python" in message


async def test_a_corrected_image_is_tried_at_once(lab):
    async with lab.agent():
        lab.make(container={"image": "redis:8"})
        await lab.eventually(lambda: waiting(lab).get("reason") == "ErrImagePull")
        await lab.clock.advance(3)
        pod = lab.api.pod()
        pod["spec"]["containers"][0]["image"] = "registry.k8s.io/pause:3.10"
        lab.api.put("pods", pod)
        await lab.ready()


async def test_an_invalid_image_name_says_so(lab):
    async with lab.agent():
        lab.make(container={"image": "No Such Thing"})
        await lab.eventually(lambda: waiting(lab).get("reason") == "InvalidImageName")
        assert "couldn't parse image name" in waiting(lab)["message"]


async def test_a_missing_configmap_in_env_waits_until_it_is_there(lab):
    async with lab.agent():
        source = {"configMapKeyRef": {"name": "settings", "key": "colour"}}
        lab.make(container={"env": [{"name": "COLOUR", "valueFrom": source}]})
        await lab.eventually(lambda: waiting(lab).get("reason") == "CreateContainerConfigError")
        assert waiting(lab)["message"] == 'configmap "settings" not found'
        lab.configmap("settings", colour="green")
        assert (await lab.running()).program.env["COLOUR"] == "green"


async def test_a_missing_secret_volume_keeps_the_pod_in_container_creating(lab):
    async with lab.agent():
        lab.make(volumes=[{"name": "keys", "secret": {"secretName": "keys"}}])
        message = 'MountVolume.SetUp failed for volume "keys" : secret "keys" not found'
        await lab.eventually(lambda: ("FailedMount", message) in lab.api.events())
        assert waiting(lab)["reason"] == "ContainerCreating"
        lab.secret("keys", password="x")
        await lab.ready()


async def test_a_volume_of_another_kind_is_refused_in_clear_words(lab):
    async with lab.agent():
        lab.make(volumes=[{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}])
        words = "kubelab has no persistentVolumeClaim volumes: use emptyDir, configMap"
        await lab.eventually(lambda: any(words in message for _, message in lab.api.events()))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"path": "/etc", "type": "File"}, "hostPath type check failed: /etc is not a file"),
        ({"path": "/none", "type": "Directory"}, "hostPath type check failed: /none is not a directory"),
        (
            {"path": "/none"},
            "/none: No such file or directory; kubelab mounts hostPath volumes read-only and makes none",
        ),
    ],
)
async def test_a_host_path_that_is_not_there_is_not_made(lab, source, problem):
    async with lab.agent():
        lab.make(volumes=[{"name": "host", "hostPath": source}])
        message = f'MountVolume.SetUp failed for volume "host" : {problem}'
        await lab.eventually(lambda: ("FailedMount", message) in lab.api.events())


async def test_a_host_path_is_what_the_pod_itself_sees_and_read_only(lab):
    async with lab.agent():
        lab.make(
            volumes=[{"name": "host", "hostPath": {"path": "/etc", "type": "Directory"}}],
            container={"volumeMounts": [{"name": "host", "mountPath": "/host", "subPath": "ssl"}]},
        )
        mount = next(each for each in (await lab.running()).program.mounts if each.target == "/host")
        assert (mount.source, mount.read_only, mount.own) == ("/etc/ssl", True, True)


async def test_what_is_not_applied_is_told_once(lab):
    async with lab.agent():
        lab.make(
            securityContext={"runAsUser": 1000},
            shareProcessNamespace=True,
            container={"securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsUser": 1001}},
        )
        await lab.running()
        named = "shareProcessNamespace, securityContext.runAsUser, securityContext.capabilities"
        message = f"kubelab accepts these fields and does not apply them: {named}"
        await lab.eventually(lambda: ("NotApplied", message) in lab.api.events())


@pytest.mark.parametrize(
    ("image", "context", "problem"),
    [
        ("python", {}, "container has runAsNonRoot and image will run as root"),
        ("registry.k8s.io/pause:3.10", {"runAsUser": 0}, "container's runAsUser breaks non-root policy"),
        ("python", {"runAsUser": 1000}, None),
        ("registry.k8s.io/pause:3.10", {}, None),
    ],
)
async def test_a_container_that_must_not_be_root_is_not_started_as_root(lab, image, context, problem):
    async with lab.agent():
        lab.make(container={"image": image, "args": ["x"], "securityContext": {"runAsNonRoot": True, **context}})
        if problem is None:
            await lab.running()
            return
        await lab.eventually(lambda: "waiting" in lab.api.container()["state"])
        await lab.eventually(lambda: lab.api.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError")
        where = '(pod: "web_default(uid-web)", container: web)'
        assert lab.api.container()["state"]["waiting"]["message"] == f"{problem} {where}"


async def test_a_crash_loop_is_not_cut_short_by_a_configmap(lab):
    async with lab.agent():
        lab.make()
        (await lab.running()).exit(1)
        await lab.eventually(lambda: lab.api.container().get("restartCount") == 1)
        lab.network.mains[-1].exit(1)
        await lab.eventually(lambda: waiting(lab).get("reason") == "CrashLoopBackOff")
        lab.configmap("anything", a="b")
        await lab.settle()
        assert waiting(lab)["reason"] == "CrashLoopBackOff"


async def test_a_program_that_is_not_there_shows_kubelets_reasons_one_after_the_other(lab):
    async with lab.agent():
        lab.network.missing.add("nosuch")
        lab.make(container={"command": ["nosuch"]})
        await lab.eventually(lambda: waiting(lab).get("reason") == "RunContainerError")
        assert waiting(lab)["message"] == 'exec: "nosuch": executable file not found in $PATH'
        ended = lab.api.container()["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        await lab.clock.advance(2)
        await lab.eventually(lambda: lab.api.container()["restartCount"] == 1)
        await lab.clock.advance(2)
        await lab.eventually(lambda: waiting(lab).get("reason") == "CrashLoopBackOff")
        assert waiting(lab)["message"].startswith("back-off 10s restarting failed container=web")


async def test_an_images_own_folder_is_fresh_for_each_run_and_a_volume_takes_its_place(lab):
    async with lab.agent():
        lab.configmap("page", **{"index.html": "mine"})
        mount = {"name": "v", "mountPath": "/usr/share/nginx/html"}
        lab.make(container={"image": "nginx", "args": None})
        lab.make("own", container={"image": "nginx", "args": None, "volumeMounts": [mount]},
                 volumes=[{"name": "v", "configMap": {"name": "page"}}])  # fmt: skip
        first = await lab.running()
        (page,) = [Path(m.source, "index.html") for m in first.program.mounts if m.target == "/usr/share/nginx/html"]
        assert "stand-in" in page.read_text()
        page.write_text("changed")
        first.exit(1)
        await lab.eventually(lambda: lab.api.container()["restartCount"] == 1)
        await lab.running()
        assert "stand-in" in page.read_text()
        (theirs,) = [m for m in (await lab.running("own")).program.mounts if m.target == "/usr/share/nginx/html"]
        assert theirs.read_only is True  # a ConfigMap is
        assert theirs.source.endswith("/v")


async def test_configuration_that_a_stand_in_does_not_read_is_told(lab):
    async with lab.agent():
        lab.configmap("conf")
        mount = {"name": "v", "mountPath": "/etc/nginx/conf.d"}
        lab.make(container={"image": "nginx", "args": None, "volumeMounts": [mount]},
                 volumes=[{"name": "v", "configMap": {"name": "conf"}}])  # fmt: skip
        message = "kubelab's stand-in for this image does not read /etc/nginx/conf.d"
        await lab.eventually(lambda: ("NotApplied", message) in lab.api.events())


async def test_a_resolver_over_its_limits_and_a_host_port_are_told(lab):
    async with lab.agent():
        searches = [f"s{number}.example" for number in range(32)]
        lab.make(container={"ports": [{"containerPort": 80, "hostPort": 8080}]}, dnsConfig={"searches": searches})
        await lab.ready()
        await lab.eventually(lambda: {"NotApplied", "DNSConfigForming"} <= {reason for reason, _ in lab.api.events()})
        told = dict(lab.api.events())
        assert told["NotApplied"] == "kubelab accepts these fields and does not apply them: ports.hostPort"
        assert "the applied search line is: default.svc.cluster.local" in told["DNSConfigForming"]
