from __future__ import annotations

import os
from pathlib import Path


def mounted(lab, path: str) -> Path:
    """The folder on the machine that the pod sees at ``path``."""
    program = lab.network.mains[-1].program
    return Path(next(mount.source for mount in program.mounts if mount.target == path))


async def test_a_configmap_volume_follows_its_configmap_all_at_once(lab):
    async with lab.agent():
        lab.configmap("page", **{"index.html": "one", "old.txt": "x"})
        lab.make(
            container={"volumeMounts": [{"name": "page", "mountPath": "/page", "readOnly": True}]},
            volumes=[{"name": "page", "configMap": {"name": "page", "defaultMode": 0o444}}],
        )
        await lab.running()
        folder = mounted(lab, "/page")
        assert (folder / "index.html").read_text() == "one"
        assert os.readlink(folder / "index.html") == "..data/index.html"
        assert (folder / "index.html").stat().st_mode & 0o777 == 0o444
        first = os.readlink(folder / "..data")
        await lab.clock.advance(1)
        lab.configmap("page", **{"index.html": "two"})
        await lab.eventually(lambda: (folder / "index.html").read_text() == "two")
        assert os.readlink(folder / "..data") != first
        assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("..")) == ["index.html"]


async def test_what_the_api_keeps_is_not_written_by_containers(lab):
    async with lab.agent():
        lab.configmap("page", text="one")
        names = ("page", "about", "own")
        field = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
        lab.make(
            container={"volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in names]},
            volumes=[
                {"name": "page", "configMap": {"name": "page"}},
                {"name": "about", "projected": {"sources": [{"downwardAPI": {"items": [field]}}]}},
                {"name": "own", "emptyDir": {}},
            ],
        )
        mounts = {mount.target: mount.read_only for mount in (await lab.running()).program.mounts}
        assert [mounts[f"/{name}"] for name in names] == [True, True, False]


async def test_the_service_account_volume_holds_token_certificate_and_namespace(lab):
    async with lab.agent():
        lab.configmap("kube-root-ca.crt", **{"ca.crt": "PEM"})
        field = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
        sources = [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [field]}},
        ]
        target = "/var/run/secrets/kubernetes.io/serviceaccount"
        lab.make(
            container={"volumeMounts": [{"name": "access", "mountPath": target, "readOnly": True}]},
            volumes=[{"name": "access", "projected": {"sources": sources, "defaultMode": 0o644}}],
            serviceAccountName="robot",
        )
        await lab.running()
        folder = mounted(lab, target)
        assert {path.name: path.read_text() for path in folder.iterdir() if path.is_file()} == {
            "token": "token-for-robot",
            "ca.crt": "PEM",
            "namespace": "default",
        }


async def test_labels_in_a_downward_volume_follow_the_pod(lab):
    async with lab.agent():
        item = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
        lab.make(
            meta={"labels": {"app": "web", "tier": "front"}},
            container={"volumeMounts": [{"name": "about", "mountPath": "/about"}]},
            volumes=[{"name": "about", "downwardAPI": {"items": [item]}}],
        )
        await lab.running()
        file = mounted(lab, "/about") / "labels"
        assert file.read_text() == 'app="web"\ntier="front"'
        pod = lab.api.pod()
        pod["metadata"]["labels"] = {"app": "shop"}
        lab.api.put("pods", pod)
        await lab.eventually(lambda: file.read_text() == 'app="shop"')


async def test_an_empty_dir_is_shared_by_containers_and_can_be_mounted_in_part(lab):
    async with lab.agent():
        second = {"name": "second", "image": "python:3.12", "command": ["x"]}
        pod = lab.make(volumes=[{"name": "scratch", "emptyDir": {}}])
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/a", "subPath": "in"}]
        second["volumeMounts"] = [{"name": "scratch", "mountPath": "/b"}]
        pod["metadata"] |= {"name": "two", "uid": "uid-two"}
        pod["spec"]["containers"].append(second)
        lab.api.put("pods", pod)
        await lab.ready("two")
        sources = {m.target: m.source for p in lab.network.mains for m in p.program.mounts}
        assert sources["/a"] == sources["/b"] + "/in"
        assert os.stat(sources["/b"]).st_mode & 0o777 == 0o777


async def test_a_file_that_is_mounted_by_its_sub_path_stays_as_it_was_until_the_container_starts_again(lab):
    def seen() -> str:
        mounts = {each.target: each.source for each in lab.network.mains[-1].program.mounts}
        with open(mounts["/conf"]) as file:
            return file.read()

    lab.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"a": "old"}})
    async with lab.agent():
        lab.make(
            volumes=[{"name": "conf", "configMap": {"name": "conf"}}],
            container={"volumeMounts": [{"name": "conf", "mountPath": "/conf", "subPath": "a"}]},
        )
        process = await lab.running()
        assert seen() == "old"
        lab.api.put("configmaps", {"metadata": {"name": "conf"}, "data": {"a": "new"}})
        volume = lab.tmp_path / "volumes" / "lab-worker" / "uid-web" / "conf" / "a"
        await lab.eventually(lambda: volume.read_text() == "new")
        assert seen() == "old"
        process.exit(1)
        await lab.eventually(lambda: len(lab.network.mains) == 2)
        assert seen() == "new"


async def test_a_link_in_a_volume_leads_no_sub_path_out_of_it(lab):
    async with lab.agent():
        volumes = [{"name": "scratch", "emptyDir": {}}]
        mount = {"name": "scratch", "mountPath": "/a", "subPath": "out/etc"}
        first = {"name": "first", "image": "python", "command": ["x"]}
        lab.make(volumes=volumes, initContainers=[first], container={"volumeMounts": [mount]})
        await lab.eventually(lambda: lab.network.mains)
        (lab.tmp_path / "volumes" / "lab-worker" / "uid-web" / "scratch" / "out").symlink_to("/")
        lab.network.mains[0].exit(0)
        words = 'failed to prepare subPath for volumeMount "scratch" of container "web"'
        await lab.eventually(lambda: lab.api.container()["state"].get("waiting", {}).get("message") == words)
