"""ResourceQuotas: what they may say, and that every write is charged or refused as upstream does."""

from __future__ import annotations

import asyncio

import pytest

QUOTAS = "/api/v1/namespaces/default/resourcequotas"
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


@pytest.fixture
def give(api):
    """A quota as the quota controller has counted it when nothing is there yet."""

    async def give(name: str = "q", used: dict | None = None, hard: dict | None = None, **spec) -> None:
        made = await api.post(QUOTAS, {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
        assert made.code == 201, made.raw
        status = {"hard": hard, "used": used or dict.fromkeys(hard, "0")}
        answer = await api.put(f"{QUOTAS}/{name}/status", {"metadata": {"name": name}, "status": status})
        assert answer.code == 200, answer.raw

    return give


async def used(api, name: str = "q") -> dict:
    return (await api.get(f"{QUOTAS}/{name}")).body["status"]["used"]


def asking(make, name: str = "web", **amounts: str) -> dict:
    pod = make.pod(name)
    resources = {}
    for key, amount in amounts.items():
        side, _, what = key.partition("_")
        resources.setdefault(side, {})[what] = amount
    pod["spec"]["containers"][0]["resources"] = resources
    return pod


async def test_what_is_made_is_charged_until_nothing_is_left(api, give, make) -> None:
    await give(hard={"pods": "2"}, used={"pods": "1"})
    assert (await api.post(PODS, make.pod("a"))).code == 201
    assert await used(api) == {"pods": "2"}
    refused = await api.post(PODS, make.pod("b"))
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    )
    assert await used(api) == {"pods": "2"}


async def test_two_at_once_cannot_both_take_the_last_unit(api, give, make) -> None:
    await give(hard={"pods": "1"})
    answers = await asyncio.gather(*(api.post(PODS, make.pod(f"p{number}")) for number in range(20)))
    assert sorted(answer.code for answer in answers) == [201] + [403] * 19
    assert await used(api) == {"pods": "1"}


async def test_nothing_is_charged_for_a_dry_run_or_a_refused_object(api, give, make) -> None:
    await give(hard={"pods": "1"})
    assert (await api.post(f"{PODS}?dryRun=All", make.pod("a"))).code == 201
    assert (await api.post(PODS, make.pod("a", containers=[]))).code == 422
    assert await used(api) == {"pods": "0"}


async def test_all_quotas_that_count_the_object_are_charged_or_none(api, give, make) -> None:
    await give("narrow", hard={"pods": "1"}, used={"pods": "1"})
    await give("wide", hard={"count/pods": "10"})
    assert "exceeded quota: narrow" in (await api.post(PODS, make.pod("a"))).body["message"]
    assert await used(api, "wide") == {"count/pods": "0"}


async def test_requests_and_limits_are_charged_in_the_spelling_they_come_in(api, give, make) -> None:
    await give(hard={"requests.cpu": "1", "limits.memory": "1Gi"})
    pod = asking(make, requests_cpu="250m", limits_memory="512Mi", limits_cpu="2")
    assert (await api.post(PODS, pod)).code == 201
    assert await used(api) == {"requests.cpu": "250m", "limits.memory": "512Mi"}
    pod = asking(make, "more", requests_cpu="1", limits_memory="600Mi")
    assert (await api.post(PODS, pod)).body["message"] == (
        'pods "more" is forbidden: exceeded quota: q, requested: limits.memory=600Mi,requests.cpu=1, '
        "used: limits.memory=512Mi,requests.cpu=250m, limited: limits.memory=1Gi,requests.cpu=1"
    )


async def test_under_a_quota_of_cpu_every_container_must_say_how_much(api, give, make) -> None:
    await give(hard={"limits.cpu": "4", "requests.memory": "1Gi"})
    pod = make.pod(containers=[{"name": name, "image": "registry/app:1"} for name in ("one", "two")])
    assert (await api.post(PODS, pod)).body["message"] == (
        'pods "web" is forbidden: failed quota: q: must specify limits.cpu for: one,two; requests.memory for: one,two'
    )


async def test_before_the_quota_has_been_counted_nothing_is_limited_and_then_what_is_unknown_is_refused(
    api, give, make
) -> None:
    await api.post(QUOTAS, {"metadata": {"name": "new"}, "spec": {"hard": {"pods": "0"}}})
    assert (await api.post(PODS, make.pod("a"))).code == 201
    await give(hard={"pods": "5"}, used={"services": "0"})
    assert (await api.post(PODS, make.pod("b"))).body["message"] == (
        'pods "b" is forbidden: status unknown for quota: q, resources: pods'
    )


async def test_a_service_is_charged_for_its_node_ports_and_its_balancer_also_when_its_type_changes(
    api, give, make
) -> None:
    await give(hard={"services": "5", "services.nodeports": "2", "services.loadbalancers": "1"})
    assert (await api.post(SERVICES, make.service("a"))).code == 201
    assert await used(api) == {"services": "1", "services.nodeports": "0", "services.loadbalancers": "0"}
    assert (await api.patch(f"{SERVICES}/a", {"spec": {"type": "LoadBalancer"}})).code == 200
    assert await used(api) == {"services": "1", "services.nodeports": "1", "services.loadbalancers": "1"}
    assert (await api.patch(f"{SERVICES}/a", {"metadata": {"labels": {"a": "b"}}})).code == 200
    two = make.service("b", type="NodePort", ports=[{"name": str(port), "port": port} for port in (80, 443)])
    assert (
        "requested: services.nodeports=2, used: services.nodeports=1, limited: services.nodeports=2"
        in ((await api.post(SERVICES, two)).body["message"])
    )
    quiet = make.service("c", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "requested: services.loadbalancers=1" in (await api.post(SERVICES, quiet)).body["message"]


async def test_objects_of_any_kind_are_counted_by_their_resource(api, give, make) -> None:
    await give(hard={"configmaps": "1", "count/ingresses.networking.k8s.io": "0", "count/deployments.apps": "1"})
    maps = "/api/v1/namespaces/default/configmaps"
    assert (await api.post(maps, {"metadata": {"name": "a"}})).code == 201
    assert (
        "exceeded quota: q, requested: configmaps=1"
        in ((await api.post(maps, {"metadata": {"name": "b"}})).body["message"])
    )
    ingress = {"metadata": {"name": "a"}, "spec": {"defaultBackend": {"service": {"name": "a", "port": {"number": 1}}}}}
    assert (await api.post("/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress)).body["message"] == (
        'ingresses.networking.k8s.io "a" is forbidden: exceeded quota: q, requested: '
        "count/ingresses.networking.k8s.io=1, used: count/ingresses.networking.k8s.io=0, "
        "limited: count/ingresses.networking.k8s.io=0"
    )
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    assert (await api.post(deployments, make.deployment("a"))).code == 201
    assert (await api.post(deployments, make.deployment("b"))).code == 403


@pytest.mark.parametrize(
    ("spec", "counted"),
    [
        ({"scopes": ["BestEffort"]}, ["best"]),
        ({"scopes": ["NotBestEffort"]}, ["asks"]),
        ({"scopes": ["Terminating"]}, ["short"]),
        ({"scopes": ["NotTerminating", "BestEffort"]}, ["best"]),
        ({"scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]}}, ["vital"]),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]}},
         ["asks", "best", "short"]),
    ],
)  # fmt: skip
async def test_a_quota_with_scopes_counts_the_pods_that_are_in_all_of_them(api, give, make, spec, counted) -> None:
    await give(hard={"pods": "9"}, **spec)
    pods = [
        make.pod("best"),
        asking(make, "asks", requests_cpu="1m"),
        {**make.pod("short", activeDeadlineSeconds=5)},
        make.pod("vital", priorityClassName="system-node-critical"),
    ]
    pods[2]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Mi"}}
    pods[3]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Mi"}}
    found = []
    for pod in pods:
        before = await used(api)
        assert (await api.post(PODS, pod)).code == 201
        if await used(api) != before:
            found.append(pod["metadata"]["name"])
    expected = {"NotBestEffort": ["asks", "short", "vital"]}.get((spec.get("scopes") or [""])[0], counted)
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"hard": {"cpus": "1"}}, ("spec.hard[cpus]", "Invalid")),
        ({"hard": {"pods": "-1"}}, ("spec.hard[pods]", "Invalid")),
        ({"hard": {"count/pods": "1500m"}}, ("spec.hard[count/pods]", "Invalid")),
        ({"hard": {"pods": "1"}, "scopes": ["Sometimes"]}, ("spec.scopes", "Invalid")),
        ({"hard": {"services": "1"}, "scopes": ["BestEffort"]}, ("spec.scopes", "Invalid")),
        ({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}, ("spec.scopes", "Invalid")),
        ({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In"}]}},
         ("spec.scopeSelector.matchExpressions.values", "Required")),
    ],
)  # fmt: skip
async def test_a_quota_says_only_what_can_be_counted(api, why, spec, cause) -> None:
    assert why(await api.post(QUOTAS, {"metadata": {"name": "q"}, "spec": spec})) == [cause]


async def test_the_scopes_of_a_quota_never_change_and_a_client_cannot_say_what_is_used(api, give, why) -> None:
    status = {"hard": {"pods": "1"}, "used": {"pods": "0"}}
    made = await api.post(QUOTAS, {"metadata": {"name": "x"}, "spec": {"hard": {"pods": "1"}}, "status": status})
    assert made.body["status"] == {}
    await give(hard={"pods": "1"}, scopes=["BestEffort"])
    assert why(await api.patch(f"{QUOTAS}/q", {"spec": {"scopes": ["NotBestEffort"]}})) == [("spec.scopes", "Invalid")]
