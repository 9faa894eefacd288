from __future__ import annotations

import ipaddress

import pytest

SERVICES = "/api/v1/namespaces/default/services"


async def test_a_service_is_filled_in(api, make) -> None:
    made = (await api.post(SERVICES, make.service())).body
    spec = made["spec"]
    ip = spec.pop("clusterIP")
    assert spec == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "clusterIPs": [ip],
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "selector": {"app": "web"},
    }
    assert made["status"] == {"loadBalancer": {}}


async def test_chosen_addresses_come_from_the_upper_band(api, make) -> None:
    addresses = [(await api.post(SERVICES, make.service(f"s{n}"))).body["spec"]["clusterIP"] for n in range(30)]
    assert len(set(addresses)) == 30
    lowest = ipaddress.ip_address("10.96.1.0")
    assert all(lowest < ipaddress.ip_address(one) < ipaddress.ip_address("10.96.255.255") for one in addresses)


@pytest.mark.parametrize(
    ("address", "why_not"),
    [
        ("10.96.0.1", "failed to allocate IP 10.96.0.1: provided IP is already allocated"),
        ("10.97.0.1", "failed to allocate IP 10.97.0.1: the provided network does not match the current range"),
        ("10.96.0.0", "failed to allocate IP 10.96.0.0: the provided network does not match the current range"),
    ],
)
async def test_an_address_that_cannot_be_had_is_refused(api, make, address, why_not) -> None:
    refused = await api.post(SERVICES, make.service(clusterIP=address))
    assert refused.code == 422
    assert refused.body["message"] == (
        f'Service "web" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: {why_not}'
    )


async def test_an_address_is_free_again_when_its_service_is_gone(api, make) -> None:
    assert (await api.post(SERVICES, make.service("a", clusterIP="10.96.0.50"))).code == 201
    assert (await api.post(SERVICES, make.service("b", clusterIP="10.96.0.50"))).code == 422
    await api.delete(f"{SERVICES}/a")
    assert (await api.post(SERVICES, make.service("b", clusterIP="10.96.0.50"))).code == 201


async def test_node_ports_are_given_and_kept(api, make) -> None:
    made = (await api.post(SERVICES, make.service(type="NodePort"))).body
    port = made["spec"]["ports"][0]["nodePort"]
    assert 30086 <= port <= 32767
    assert made["spec"]["externalTrafficPolicy"] == "Cluster"
    manifest = make.service(type="NodePort")
    replaced = (await api.put(f"{SERVICES}/web", manifest)).body
    assert replaced["spec"]["ports"][0]["nodePort"] == port
    assert replaced["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert replaced["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("number", "why_not"),
    [
        (30080, "provided port is already allocated"),
        (29999, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ],
)
async def test_a_node_port_that_cannot_be_had_is_refused(api, make, number, why_not) -> None:
    first = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}
    await api.post(SERVICES, make.service("first", **first))
    refused = await api.post(SERVICES, make.service(type="NodePort", ports=[{"port": 80, "nodePort": number}]))
    assert refused.body["message"] == (
        f'Service "web" is invalid: spec.ports[0].nodePort: Invalid value: {number}: {why_not}'
    )


async def test_two_protocols_on_one_port_share_a_node_port(api, make) -> None:
    ports = [{"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"}]
    spec = (await api.post(SERVICES, make.service(type="NodePort", ports=ports))).body["spec"]
    assert spec["ports"][0]["nodePort"] == spec["ports"][1]["nodePort"]


async def test_a_node_port_that_is_asked_for_is_shared_whatever_the_order(api, make) -> None:
    ports = [
        {"name": "t", "port": 53, "protocol": "TCP"},
        {"name": "u", "port": 53, "protocol": "UDP", "nodePort": 30053},
        {"name": "w", "port": 80},
    ]
    made = (await api.post(SERVICES, make.service(type="NodePort", ports=ports))).body["spec"]["ports"]
    assert [port["nodePort"] for port in made[:2]] == [30053, 30053]
    assert made[2]["nodePort"] != 30053


async def test_chosen_node_ports_leave_the_static_band_free(api, make) -> None:
    ports = [{"name": f"p{n}", "port": n} for n in range(1, 101)]
    made = (await api.post(SERVICES, make.service(type="NodePort", ports=ports))).body["spec"]["ports"]
    assert min(port["nodePort"] for port in made) > 30085


async def test_a_port_keeps_its_node_port_by_its_name(api, make) -> None:
    def ports(**numbers: int) -> list[dict]:
        return [{"name": name, "port": number} for name, number in numbers.items()]

    made = (await api.post(SERVICES, make.service(type="NodePort", ports=ports(a=80, b=81)))).body["spec"]["ports"]
    put = await api.put(f"{SERVICES}/web", make.service(type="NodePort", ports=ports(a=8080, c=81)))
    changed = put.body["spec"]["ports"]
    assert changed[0]["nodePort"] == made[0]["nodePort"]
    assert changed[1]["nodePort"] != made[1]["nodePort"]
    # The old one is free again.
    other = [{"port": 80, "nodePort": made[1]["nodePort"]}]
    assert (await api.post(SERVICES, make.service("other", type="NodePort", ports=other))).code == 201


async def test_a_node_port_is_refused_where_the_server_would_choose_none(api, make, why) -> None:
    await api.post(SERVICES, make.service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    spec = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    taken = make.service("b", **spec, ports=[{"port": 80, "nodePort": 30080}])
    assert why(await api.post(SERVICES, taken)) == [("spec.ports[0].nodePort", "Invalid")]
    free = make.service("b", **spec, ports=[{"port": 80, "nodePort": 30081}])
    assert (await api.post(SERVICES, free)).body["spec"]["ports"][0]["nodePort"] == 30081


async def test_a_health_check_port_cannot_be_taken_or_changed(api, make) -> None:
    await api.post(SERVICES, make.service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    refused = await api.post(SERVICES, make.service("b", **spec, healthCheckNodePort=30080))
    assert (refused.code, refused.body["message"]) == (
        500,
        "Internal error occurred: failed to allocate requested HealthCheck NodePort 30080: "
        "provided port is already allocated",
    )
    await api.post(SERVICES, make.service("b", **spec, healthCheckNodePort=30081))
    refused = await api.patch(f"{SERVICES}/b", {"spec": {"healthCheckNodePort": 30082}})
    assert refused.body["message"] == (
        'Service "b" is invalid: spec.healthCheckNodePort: Forbidden: field is immutable'
    )


async def test_what_a_load_balancers_maker_writes_is_checked(api, make, why) -> None:
    await api.post(SERVICES, make.service(type="LoadBalancer"))

    async def write(name: str, *ingress: dict):
        return await api.patch(f"{SERVICES}/{name}/status", {"status": {"loadBalancer": {"ingress": list(ingress)}}})

    good = await write("web", {"ip": "192.0.2.1"}, {"hostname": "lb.example.com"})
    assert good.body["status"]["loadBalancer"]["ingress"][0] == {"ip": "192.0.2.1", "ipMode": "VIP"}
    bad = [{"ip": "here"}, {"ip": "192.0.2.1", "ipMode": "Route"}, {"hostname": "192.0.2.1"}]
    assert why(await write("web", *bad)) == [
        ("status.loadBalancer.ingress[0].ip", "Invalid"),
        ("status.loadBalancer.ingress[1].ipMode", "NotSupported"),
        ("status.loadBalancer.ingress[2].hostname", "Invalid"),
    ]
    await api.post(SERVICES, make.service("plain"))
    assert why(await write("plain", {"ip": "192.0.2.1"})) == [("status.loadBalancer.ingress", "Forbidden")]


async def test_a_local_load_balancer_gets_a_health_check_port(api, make, why) -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    made = (await api.post(SERVICES, make.service(**spec))).body["spec"]
    port = made["healthCheckNodePort"]
    assert port != made["ports"][0]["nodePort"]
    assert made["allocateLoadBalancerNodePorts"] is True
    taken = make.service("other", type="NodePort", ports=[{"port": 80, "nodePort": port}])
    assert why(await api.post(SERVICES, taken)) == [("spec.ports[0].nodePort", "Invalid")]
    cluster = (await api.patch(f"{SERVICES}/web", {"spec": {"externalTrafficPolicy": "Cluster"}})).body["spec"]
    assert "healthCheckNodePort" not in cluster


async def test_a_load_balancer_can_do_without_node_ports(api, make) -> None:
    made = await api.post(SERVICES, make.service(type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert "nodePort" not in made.body["spec"]["ports"][0]


async def test_the_type_can_change_and_takes_its_fields_along(api, make) -> None:
    made = (await api.post(SERVICES, make.service(type="LoadBalancer"))).body["spec"]
    await api.patch(f"{SERVICES}/web/status", {"status": {"loadBalancer": {"ingress": [{"ip": "172.18.255.1"}]}}})
    plain = (await api.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}})).body
    assert plain["spec"]["clusterIP"] == made["clusterIP"]
    assert plain["status"] == {"loadBalancer": {}}
    assert not {"allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & set(plain["spec"])
    assert "nodePort" not in plain["spec"]["ports"][0]
    name = {"spec": {"type": "ExternalName", "externalName": "example.com"}}
    named = (await api.patch(f"{SERVICES}/web", name)).body["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"} & set(named)
    back = (await api.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP", "externalName": None}})).body["spec"]
    assert back["clusterIP"].startswith("10.96.")
    assert back["ipFamilies"] == ["IPv4"]


async def test_a_headless_service_has_no_address(api, make) -> None:
    made = (await api.post(SERVICES, make.service(clusterIP="None"))).body["spec"]
    assert (made["clusterIP"], made["clusterIPs"], made["ipFamilies"]) == ("None", ["None"], ["IPv4"])
    without = make.service("b", clusterIP="None", selector=None)
    made = (await api.post(SERVICES, without)).body["spec"]
    assert (made["ipFamilyPolicy"], made["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])


async def test_an_address_never_changes(api, make) -> None:
    await api.post(SERVICES, make.service())
    refused = await api.patch(f"{SERVICES}/web", {"spec": {"clusterIP": "10.96.0.77", "clusterIPs": ["10.96.0.77"]}})
    assert refused.body["message"] == (
        'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.0.77"]: may not change once set'
    )


async def test_whoever_writes_one_address_means_the_list_too(api, make) -> None:
    await api.post(SERVICES, make.service())
    refused = await api.patch(f"{SERVICES}/web", {"spec": {"clusterIP": "None"}})
    assert refused.body["message"] == (
        'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"externalIPs": ["192.0.2.1"]}, "spec.externalIPs is deprecated and may no longer be implemented"),
        ({"clusterIP": "None", "sessionAffinity": "ClientIP"}, "SessionAffinity is ignored for headless services"),
        ({"trafficDistribution": "PreferClose"}, "is deprecated; use"),
        ({"externalName": "example.com"}, "spec.externalName is ignored when spec.type is not"),
    ],
)
async def test_what_is_old_or_without_effect_comes_with_a_warning(api, make, spec, said) -> None:
    made = await api.post(SERVICES, make.service(**spec))
    assert (made.code, said in str(made.headers)) == (201, True), made.headers


async def test_sticky_clients_have_a_time_limit(api, make) -> None:
    made = (await api.post(SERVICES, make.service(sessionAffinity="ClientIP"))).body["spec"]
    assert made["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    plain = (await api.patch(f"{SERVICES}/web", {"spec": {"sessionAffinity": "None"}})).body["spec"]
    assert "sessionAffinityConfig" not in plain


P = {"port": 80}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, [("spec.ports", "Required")]),
        ({"ports": [{"port": 0, "targetPort": 1}]}, [("spec.ports[0].port", "Invalid")]),
        ({"ports": [{"port": 65536, "targetPort": 1}]}, [("spec.ports[0].port", "Invalid")]),
        ({"ports": [{**P, "protocol": "HTTP"}]}, [("spec.ports[0].protocol", "NotSupported")]),
        ({"ports": [{**P, "targetPort": "not_a_name"}]}, [("spec.ports[0].targetPort", "Invalid")]),
        ({"ports": [P, {"port": 81}]}, [("spec.ports[0].name", "Required"), ("spec.ports[1].name", "Required")]),
        ({"ports": [{**P, "name": "a"}, {"port": 81, "name": "a"}]}, [("spec.ports[1].name", "Duplicate")]),
        ({"ports": [{**P, "name": "a"}, {**P, "name": "b"}]}, [("spec.ports[1]", "Duplicate")]),
        ({"ports": [{**P, "nodePort": 30001}]}, [("spec.ports[0].nodePort", "Forbidden")]),
        ({"type": "Proxy"}, [("spec.type", "NotSupported")]),
        ({"type": "ExternalName"}, [("spec.externalName", "Required")]),
        ({"type": "NodePort", "clusterIP": "None"}, [("spec.clusterIPs[0]", "Invalid")]),
        ({"clusterIP": "one"}, [("spec.clusterIPs[0]", "Invalid")]),
        ({"externalIPs": ["x"]}, [("spec.externalIPs[0]", "Invalid")]),
        ({"externalIPs": ["127.0.0.1", "169.254.1.1"]}, [(f"spec.externalIPs[{n}]", "Invalid") for n in (0, 1)]),
        ({"externalTrafficPolicy": "Local"}, [("spec.externalTrafficPolicy", "Invalid")]),
        ({"type": "NodePort", "externalTrafficPolicy": "Far"}, [("spec.externalTrafficPolicy", "NotSupported")]),
        ({"internalTrafficPolicy": "Near"}, [("spec.internalTrafficPolicy", "NotSupported")]),
        ({"trafficDistribution": "Any"}, [("spec.trafficDistribution", "NotSupported")]),
        ({"sessionAffinity": "Cookie"}, [("spec.sessionAffinity", "NotSupported")]),
        ({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}}, [("spec.sessionAffinityConfig", "Forbidden")]),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, [("spec.LoadBalancerSourceRanges", "Forbidden")]),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["x"]},
            [("spec.LoadBalancerSourceRanges[0]", "Invalid")],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.1"]},  # an address is not a block
            [("spec.LoadBalancerSourceRanges[0]", "Invalid")],
        ),
        ({"ipFamilies": ["IPv6"]}, [("spec.ipFamilies[0]", "Invalid")]),
        ({"ipFamilies": ["IPv4", "IPv4"]}, [("spec.ipFamilies[1]", "Duplicate")]),
        ({"ports": [{"port": 80, "appProtocol": "a b"}]}, [("spec.ports[0].appProtocol", "Invalid")]),
        ({"ipFamilyPolicy": "RequireDualStack"}, [("spec.ipFamilyPolicy", "Invalid")]),
        ({"selector": {"a": "b c"}}, [("spec.selector", "Invalid")]),
        ({"healthCheckNodePort": 30002}, [("spec.healthCheckNodePort", "Invalid")]),
    ],
)
async def test_a_service_that_makes_no_sense_is_invalid(api, make, why, spec, expected) -> None:
    assert why(await api.post(SERVICES, make.service(**spec))) == expected


async def test_a_services_name_is_a_dns_label(api, make, why) -> None:
    assert why(await api.post(SERVICES, make.service("1web"))) == [("metadata.name", "Invalid")]
    assert why(await api.post(SERVICES, make.service("a.b"))) == [("metadata.name", "Invalid")]


async def test_allocations_are_known_again_after_a_restart(tmp_path, api_of, make) -> None:
    from kubelab.engine.apiserver import ApiServer, ApiServerSettings

    settings = ApiServerSettings(tokens={"a-token": "kubernetes-admin"})
    first = ApiServer.open(tmp_path / "db", settings)
    spec = {"type": "NodePort", "clusterIP": "10.96.0.20", "ports": [{"port": 80, "nodePort": 30005}]}
    await api_of(first).post(SERVICES, make.service("a", **spec))
    await first.close()
    again = ApiServer.open(tmp_path / "db", settings)
    refused = await api_of(again).post(SERVICES, make.service("b", **spec))
    del spec["clusterIP"]
    also = await api_of(again).post(SERVICES, make.service("b", **spec))
    await again.close()
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == ["spec.clusterIPs"]
    assert [cause["field"] for cause in also.body["details"]["causes"]] == ["spec.ports[0].nodePort"]


async def test_an_endpoint_slice_is_checked(api, why) -> None:
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    good = {
        "metadata": {"name": "a"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": False}}],
        "ports": [{"port": 80}],
    }
    made = await api.post(path, good)
    assert made.body["ports"] == [{"port": 80, "protocol": "TCP", "name": ""}]
    assert made.body["endpoints"][0]["conditions"] == {"ready": False}
    assert why(await api.patch(f"{path}/a", {"addressType": "IPv6"}))[-1] == ("addressType", "Invalid")
    labelled = await api.patch(f"{path}/a", {"metadata": {"labels": {"kubernetes.io/service-name": "web"}}})
    assert labelled.body["metadata"]["generation"] == 2  # whose it is counts, unlike with other kinds
    bad = {**good, "metadata": {"name": "b"}, "endpoints": [{"addresses": ["web.example"]}, {"addresses": []}]}
    assert why(await api.post(path, bad)) == [
        ("endpoints[0].addresses[0]", "Invalid"),
        ("endpoints[1].addresses", "Required"),
    ]
    zones = [{"name": "a"}, {"name": "a"}]
    endpoint = {"addresses": ["10.244.1.2"], "nodeName": "N", "hostname": "a.b", "hints": {"forZones": zones}}
    ports = [{"name": "p", "port": 80}, {"name": "p", "port": 81, "appProtocol": "a b"}]
    bad = {**good, "metadata": {"name": "b"}, "endpoints": [endpoint], "ports": ports}
    assert why(await api.post(path, bad)) == [
        ("endpoints[0].nodeName", "Invalid"),
        ("endpoints[0].hostname", "Invalid"),
        ("endpoints[0].hints.forZones[1].name", "Duplicate"),
        ("ports[1].name", "Duplicate"),
        ("ports[1].appProtocol", "Invalid"),
    ]
    many = {"addresses": [f"10.244.1.{number}" for number in range(101)]}
    crowded = await api.post(path, {**good, "metadata": {"name": "b"}, "endpoints": [many]})
    assert why(crowded) == [("endpoints[0].addresses", "TooMany")]


async def test_endpoints_carry_their_warning(api) -> None:
    answer = await api.get("/api/v1/namespaces/default/endpoints/kubernetes")
    assert answer.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )
    assert answer.body["subsets"][0]["addresses"] == [{"ip": "172.18.0.2"}]
