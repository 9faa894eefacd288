"""Why a container may wait: its image, its configuration, its volumes."""

from __future__ import annotations


def waiting(lab) -> dict:
    return lab.api.container()["state"].get("waiting") or {}


async def test_an_unknown_image_backs_off_and_the_event_lists_the_images_there_are(lab):
    async with lab.agent():
        lab.make(container={"image": "nginx:1.27"})
        await lab.eventually(lambda: waiting(lab).get("reason") == "ErrImagePull")
        assert lab.api.status()["phase"] == "Pending"
        await lab.clock.advance(2)
        await lab.eventually(lambda: waiting(lab)["reason"] == "ImagePullBackOff")
        assert waiting(lab)["message"].startswith('Back-off pulling image "nginx:1.27": ErrImagePull: ')
        message = next(text for reason, text in lab.api.events() if text.startswith("Failed to pull"))
        assert 'failed to resolve image "docker.io/library/nginx:1.27"' in message
        assert "registry.k8s.io/e2e-test-images/agnhost" in message
        assert "python" in message


async def test_a_corrected_image_is_tried_at_once(lab):
    async with lab.agent():
        lab.make(container={"image": "nginx:1.27"})
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


async def test_a_host_path_is_refused_in_clear_words(lab):
    async with lab.agent():
        lab.make(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}])
        await lab.eventually(lambda: any("no hostPath volumes" in text for _, text in lab.api.events()))
        lab.api.delete_gracefully()
        await lab.eventually(lambda: not lab.api.objects["pods"])


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
