"""The `kubernetes` client and `kr8s`, unchanged, over HTTPS. They block, so they run in a thread."""

from __future__ import annotations

import asyncio
import threading
import warnings

import kubernetes
import pytest
from kubernetes import dynamic, watch


@pytest.fixture
def typed(kubeconfig_path):
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(kubeconfig_path), client_configuration=configuration)
    with kubernetes.client.ApiClient(configuration) as api_client:
        yield api_client


async def test_the_typed_client(typed, make) -> None:
    def use() -> None:
        core, apps = kubernetes.client.CoreV1Api(typed), kubernetes.client.AppsV1Api(typed)
        made = core.create_namespaced_pod("default", make.pod("p"))
        assert (made.status.phase, made.metadata.creation_timestamp.year) == ("Pending", 2026)
        made.metadata.labels = {"a": "b"}
        assert core.replace_namespaced_pod("p", "default", made).metadata.labels == {"a": "b"}
        with pytest.raises(kubernetes.client.ApiException) as stale:
            core.replace_namespaced_pod("p", "default", made)
        assert (stale.value.status, stale.value.reason) == (409, "Conflict")
        assert [one.metadata.name for one in core.list_namespaced_pod("default", label_selector="a=b").items] == ["p"]
        apps.create_namespaced_deployment("default", make.deployment())
        scaled = apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})
        assert scaled.spec.replicas == 3
        assert apps.read_namespaced_deployment("web", "default").spec.replicas == 3
        assert kubernetes.client.VersionApi(typed).get_code().git_version == "v1.36.2"

    await asyncio.to_thread(use)


async def test_the_watch(typed, make) -> None:
    def use() -> list[tuple[str, str]]:
        core = kubernetes.client.CoreV1Api(typed)
        core.create_namespaced_pod("default", make.pod("p"))
        started = threading.Event()

        def delete() -> None:
            started.wait(5)
            core.delete_namespaced_pod("p", "default")

        deleting = threading.Thread(target=delete)
        deleting.start()
        seen = []
        stream = watch.Watch()
        for event in stream.stream(core.list_namespaced_pod, "default", timeout_seconds=10):
            seen.append((event["type"], event["object"].metadata.name))
            started.set()
            if event["type"] == "DELETED":
                stream.stop()
        deleting.join()
        return seen

    assert await asyncio.to_thread(use) == [("ADDED", "p"), ("DELETED", "p")]


async def test_the_dynamic_client(typed, make) -> None:
    def use() -> None:
        services = dynamic.DynamicClient(typed).resources.get(api_version="v1", kind="Service")
        made = services.create(body=make.service(), namespace="default")
        assert made.spec.clusterIP.startswith("10.96.")
        assert [one.kind for one in services.get(namespace="default").items] == ["Service", "Service"]
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "NodePort"}}
        applied = services.server_side_apply(body=body, namespace="default", field_manager="me", force_conflicts=True)
        assert applied.spec.ports[0].nodePort >= 30086
        services.delete(name="web", namespace="default")

    await asyncio.to_thread(use)


async def test_kr8s(kubeconfig_path, make) -> None:
    import kr8s.asyncio
    from kr8s.asyncio.objects import Pod, Service

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kr8s warns of Kubernetes releases that are younger than itself
        client = await kr8s.asyncio.api(kubeconfig=str(kubeconfig_path))
        pod = await Pod(make.pod("p"), api=client)
        await pod.create()
        await pod.label({"a": "b"})
        assert pod.labels == {"a": "b"}
        assert [one.name async for one in client.get("pods", label_selector="a=b")] == ["p"]
        service = await Service(make.service(), api=client)
        await service.create()
        assert service.spec.type == "ClusterIP"
        await service.patch({"spec": {"type": "NodePort"}})
        assert service.spec.ports[0].nodePort >= 30086
        await pod.delete()
        assert not await pod.exists()
        assert await client.whoami() == "kubernetes-admin"
