from __future__ import annotations

from kubelab.engine.client.resources import ENDPOINTS, ENDPOINTSLICES, PODS, SERVICES


async def serve(cluster, name="web", **spec) -> None:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    await cluster.api.create(SERVICES, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def slices(cluster, name="web") -> list[dict]:
    labelled = cluster.all(ENDPOINTSLICES)
    return [each for each in labelled if each["metadata"]["labels"].get("kubernetes.io/service-name") == name]


def addresses(cluster, condition="ready") -> set[str]:
    return {
        endpoint["addresses"][0]
        for each in slices(cluster)
        for endpoint in each["endpoints"] or ()
        if endpoint["conditions"][condition]
    }


def pod_ips(cluster) -> set[str]:
    return {pod["status"]["podIP"] for pod in cluster.all(PODS) if pod["status"].get("podIP")}


async def test_slices_and_endpoints_follow_the_pods(cluster):
    await serve(cluster)
    await cluster.until(lambda: slices(cluster))
    await cluster.deploy(replicas=3)
    await cluster.until(lambda: len(addresses(cluster)) == 3 and addresses(cluster) == pod_ips(cluster))
    [only] = slices(cluster)
    assert only["metadata"]["name"].startswith("web-")
    assert only["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    await cluster.until(
        lambda: (
            {
                each["ip"]
                for subset in cluster.get(ENDPOINTS, "web").get("subsets", [])
                for each in subset.get("addresses", [])
            }
            == pod_ips(cluster)
        )
    )
    await cluster.api.delete(SERVICES, "web", "default")
    await cluster.until(lambda: not slices(cluster) and cluster.get(ENDPOINTS, "web") is None)


async def test_a_pod_on_its_way_out_is_serving_and_terminating_but_not_ready(cluster):
    await serve(cluster)
    await cluster.deploy(replicas=1)
    await cluster.until(lambda: len(addresses(cluster)) == 1)
    cluster.holds_deletions = True
    [pod] = cluster.all(PODS)
    await cluster.api.delete(PODS, pod["metadata"]["name"], "default")
    await cluster.until(lambda: addresses(cluster, "terminating") == {pod["status"]["podIP"]})
    assert pod["status"]["podIP"] in addresses(cluster, "serving")
    assert pod["status"]["podIP"] not in addresses(cluster)
    cluster.let_go()
    await cluster.until(lambda: not addresses(cluster, "terminating"))


async def test_the_slice_keeps_its_name_through_a_whole_rollout(cluster):
    await serve(cluster)
    await cluster.deploy(replicas=2)
    await cluster.until(lambda: len(addresses(cluster)) == 2)
    [before] = slices(cluster)
    await cluster.set_image("web", "agnhost:2")
    await cluster.until(
        lambda: cluster.rolled_out() and len(cluster.all(PODS)) == 2 and addresses(cluster) == pod_ips(cluster)
    )
    [after] = slices(cluster)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_service_without_a_selector_is_left_alone(cluster):
    await cluster.api.create(
        SERVICES, {"metadata": {"name": "outside", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
    )
    await serve(cluster, "marker")
    await cluster.until(lambda: slices(cluster, "marker") and cluster.get(ENDPOINTS, "marker"))
    assert not slices(cluster, "outside") and cluster.get(ENDPOINTS, "outside") is None


async def test_a_slice_that_somebody_deleted_comes_back(cluster):
    await serve(cluster)
    await cluster.deploy(replicas=1)
    await cluster.until(lambda: len(addresses(cluster)) == 1)
    [old] = slices(cluster)
    await cluster.api.delete(ENDPOINTSLICES, old["metadata"]["name"], "default")
    await cluster.until(
        lambda: len(addresses(cluster)) == 1 and slices(cluster)[0]["metadata"]["uid"] != old["metadata"]["uid"]
    )


async def write_endpoints(cluster, *ips: str, waiting: tuple[str, ...] = (), port=9000, **meta) -> None:
    subset = {"addresses": [{"ip": ip} for ip in ips], "ports": [{"port": port}]}
    subset |= {"notReadyAddresses": [{"ip": ip} for ip in waiting]}
    wish = {"metadata": {"name": "web", "namespace": "default", **meta}, "subsets": [subset]}
    if cluster.get(ENDPOINTS, "web") is None:
        await cluster.api.create(ENDPOINTS, wish)
    else:
        await cluster.api.update(ENDPOINTS, wish)


def said(cluster) -> list[tuple[int, dict[str, bool]]]:
    """The port, and the address and readiness of every endpoint, for each slice."""
    return sorted(
        (
            each["ports"][0]["port"],
            {endpoint["addresses"][0]: endpoint["conditions"]["ready"] for endpoint in each["endpoints"]},
        )
        for each in slices(cluster)
        if each.get("ports")
    )


async def test_endpoints_that_people_write_are_mirrored(cluster):
    await serve(cluster, selector=None)
    await write_endpoints(cluster, "192.0.2.1", waiting=("192.0.2.2",), labels={"team": "db"})
    await cluster.until(lambda: said(cluster) == [(9000, {"192.0.2.1": True, "192.0.2.2": False})])
    [first] = slices(cluster)
    assert first["metadata"]["labels"] == {
        "team": "db",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert first["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"
    assert "serving" not in first["endpoints"][0]["conditions"]

    await write_endpoints(cluster, "192.0.2.3", port=9001)
    await cluster.until(lambda: said(cluster) == [(9001, {"192.0.2.3": True})])
    assert slices(cluster)[0]["metadata"]["uid"] == first["metadata"]["uid"]

    await cluster.api.delete(ENDPOINTS, "web", "default")
    await cluster.until(lambda: not slices(cluster))


async def test_a_mirror_ends_with_its_reason(cluster):
    await serve(cluster, selector=None)
    await write_endpoints(cluster, "192.0.2.1")
    await cluster.until(lambda: said(cluster))
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    await write_endpoints(cluster, "192.0.2.1", labels=skip)
    await cluster.until(lambda: not slices(cluster))
    await write_endpoints(cluster, "192.0.2.1")
    await cluster.until(lambda: said(cluster))
    # With a selector the other controllers take over.
    await cluster.change(SERVICES, "web", {"spec": {"selector": {"app": "web"}}})
    await cluster.until(lambda: slices(cluster) and not said(cluster))


async def test_without_its_selector_a_service_keeps_what_it_has(cluster):
    await serve(cluster)
    await cluster.deploy(replicas=1)
    await cluster.until(lambda: len(addresses(cluster)) == 1)
    await cluster.change(SERVICES, "web", {"spec": {"selector": None}})
    await cluster.deploy("other", replicas=1)
    await cluster.until(lambda: len(pod_ips(cluster)) == 2)
    assert len(addresses(cluster)) == 1
