"""ServiceCIDR and IPAddress: every ClusterIP is an object of its own, as long as its Service has it."""

from __future__ import annotations

import sqlite3

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
SERVICES = "/api/v1/namespaces/default/services"


async def taken(api) -> dict[str, str]:
    """Address → Service."""
    items = (await api.get(ADDRESSES)).body["items"]
    return {one["metadata"]["name"]: one["spec"]["parentRef"]["name"] for one in items}


async def test_a_cluster_is_born_with_one_range_that_is_ready_and_the_address_of_its_own_service(api) -> None:
    cidr = (await api.get(f"{CIDRS}/kubernetes")).body
    assert cidr["spec"]["cidrs"] == ["10.96.0.0/16"]
    assert [(one["type"], one["status"]) for one in cidr["status"]["conditions"]] == [("Ready", "True")]
    assert await taken(api) == {"10.96.0.1": "kubernetes"}


async def test_a_service_has_its_address_as_an_object_until_it_is_deleted(api, make) -> None:
    ip = (await api.post(SERVICES, make.service("web"))).body["spec"]["clusterIP"]
    address = (await api.get(f"{ADDRESSES}/{ip}")).body
    assert address["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}
    assert address["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    await api.delete(f"{SERVICES}/web")
    assert (await api.get(f"{ADDRESSES}/{ip}")).code == 404
    assert (await api.post(SERVICES, make.service("web", clusterIP=ip))).code == 201


async def test_one_without_an_address_has_no_object_and_one_that_gets_it_later_has(api, make) -> None:
    await api.post(SERVICES, make.service("none", clusterIP="None"))
    await api.post(SERVICES, make.service("name", type="ExternalName", externalName="example.com", ports=[]))
    await api.post(f"{SERVICES}?dryRun=All", make.service("dry"))
    assert list(await taken(api)) == ["10.96.0.1"]
    spec = {"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}]}
    ip = (await api.patch(f"{SERVICES}/name", {"spec": spec})).body["spec"]["clusterIP"]
    assert (await taken(api))[ip] == "name"
    spec = {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None}
    assert (await api.patch(f"{SERVICES}/name", {"spec": spec})).code == 200
    assert ip not in await taken(api)


async def test_an_address_that_somebody_has_taken_is_given_to_no_service(api, make, why) -> None:
    mine = {"metadata": {"name": "10.96.7.7"}, "spec": {"parentRef": {"resource": "configmaps", "name": "mine"}}}
    assert (await api.post(ADDRESSES, mine)).code == 201
    answer = await api.post(SERVICES, make.service("web", clusterIP="10.96.7.7"))
    assert why(answer) == [("spec.clusterIPs", "Invalid")]
    assert "already allocated" in answer.body["message"]
    await api.delete(f"{ADDRESSES}/10.96.7.7")
    assert (await api.post(SERVICES, make.service("web", clusterIP="10.96.7.7"))).code == 201


async def test_what_a_service_has_comes_back_when_it_is_deleted(api, make) -> None:
    ip = (await api.post(SERVICES, make.service("web"))).body["spec"]["clusterIP"]
    await api.delete(f"{ADDRESSES}/{ip}")
    assert (await taken(api))[ip] == "web"


async def test_addresses_survive_the_server_and_a_store_from_before_gets_them(tmp_path, make, api_of) -> None:
    store, settings = tmp_path / "store", ApiServerSettings(tokens={"a-token": "kubernetes-admin"})
    server = ApiServer.open(store, settings)
    ip = (await api_of(server).post(SERVICES, make.service("web"))).body["spec"]["clusterIP"]
    await server.close()
    with sqlite3.connect(store) as database:
        database.execute("DELETE FROM objects WHERE resource = 'networking.k8s.io/ipaddresses' AND name = ?", (ip,))
    database.close()
    server = ApiServer.open(store, settings)
    try:
        api = api_of(server)
        assert await taken(api) == {"10.96.0.1": "kubernetes", ip: "web"}
        assert (await api.post(SERVICES, make.service("other", clusterIP=ip))).code == 422
    finally:
        await server.close()


async def test_whose_an_address_is_never_changes_and_its_name_is_the_address(api, make, why) -> None:
    ip = (await api.post(SERVICES, make.service("web"))).body["spec"]["clusterIP"]
    change = {"spec": {"parentRef": {"name": "other"}}}
    assert why(await api.patch(f"{ADDRESSES}/{ip}", change)) == [("spec.parentRef", "Invalid")]
    for name in ("ten", "2001:DB8::1"):
        made = {"metadata": {"name": name}, "spec": {"parentRef": {"resource": "services", "name": "web"}}}
        assert why(await api.post(ADDRESSES, made)) == [("metadata.name", "Invalid")]
    made = {"metadata": {"name": "10.96.1.1"}, "spec": {"parentRef": {"resource": "services"}}}
    assert why(await api.post(ADDRESSES, made)) == [("spec.parentRef.name", "Required")]


async def test_a_second_range_is_refused_with_a_sentence_that_says_why(api, why) -> None:
    answer = await api.post(CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.0.0/16"]}})
    assert why(answer) == [("spec.cidrs", "Forbidden")]
    assert "10.96.0.0/16 only" in answer.body["message"]
    answer = await api.post(CIDRS, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.1.0/16"]}})
    assert ("spec.cidrs[0]", "Invalid") in why(answer)
    assert why(await api.patch(f"{CIDRS}/kubernetes", {"spec": {"cidrs": ["10.97.0.0/16"]}})) == [
        ("spec.cidrs", "Invalid")
    ]
