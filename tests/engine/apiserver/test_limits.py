"""LimitRanges: what they may say, what they fill in, and which pods they refuse."""

from __future__ import annotations

import pytest

RANGES = "/api/v1/namespaces/default/limitranges"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def limit(api):
    async def limit(*items: dict, name: str = "bounds") -> dict:
        made = await api.post(RANGES, {"metadata": {"name": name}, "spec": {"limits": list(items)}})
        assert made.code == 201, made.raw
        return made.body["spec"]["limits"]

    return limit


def asking(make, limits: dict | None = None, requests: dict | None = None) -> dict:
    pod = make.pod("web")
    resources = {"limits": limits, "requests": requests}
    pod["spec"]["containers"][0]["resources"] = {name: held for name, held in resources.items() if held}
    return pod


async def refusal(api, pod: dict) -> str:
    answer = await api.post(PODS, pod)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden"), answer.raw
    return answer.body["message"].removeprefix('pods "web" is forbidden: ')


async def test_a_container_without_resources_gets_the_defaults_and_a_note_of_them(api, limit, make) -> None:
    await limit({"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m", "memory": "64Mi"}})
    pod = (await api.post(PODS, make.pod())).body
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"}, "requests": {"cpu": "100m", "memory": "64Mi"},
    }  # fmt: skip
    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container main; cpu limit for container main"
    )
    assert pod["status"]["qosClass"] == "Burstable"


async def test_what_a_container_says_itself_stays_and_its_limit_is_its_request_before_any_default(
    api, limit, make
) -> None:
    await limit({"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}})
    pod = (await api.post(PODS, asking(make, limits={"cpu": "200m"}))).body
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "200m"}}


async def test_what_is_left_out_of_a_limit_follows_from_what_it_says(limit) -> None:
    [item] = await limit({"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "100m", "memory": "1Mi"}})
    assert item["default"] == {"cpu": "1"}
    assert item["defaultRequest"] == {"cpu": "1", "memory": "1Mi"}
    [item] = await limit({"type": "Pod", "max": {"cpu": "1"}}, name="of-pods")
    assert item == {"type": "Pod", "max": {"cpu": "1"}}


async def test_a_pod_outside_the_limits_is_refused_with_every_reason(api, limit, make) -> None:
    await limit({"type": "Container", "max": {"cpu": "800m"}, "min": {"cpu": "200m", "memory": "1Mi"}})
    assert await refusal(api, asking(make, limits={"cpu": "1500m"})) == (
        "maximum cpu usage per Container is 800m, but limit is 1500m"
    )
    assert await refusal(api, asking(make, limits={"cpu": "800m"}, requests={"cpu": "100m", "memory": "1Ki"})) == (
        "[minimum cpu usage per Container is 200m, but request is 100m, "
        "minimum memory usage per Container is 1Mi, but request is 1Ki]"
    )


async def test_a_limit_may_be_only_so_many_times_the_request(api, limit, make) -> None:
    await limit({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}})
    assert (await api.post(PODS, asking(make, {"cpu": "1"}, {"cpu": "500m"}))).code == 201
    assert await refusal(api, asking(make, {"cpu": "1"}, {"cpu": "300m"})) == (
        "cpu max limit to request ratio per Container is 2, but provided ratio is 3.333333"
    )
    assert await refusal(api, make.pod()) == (
        "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"
    )


async def test_the_containers_of_a_pod_are_bounded_together(api, limit, make) -> None:
    await limit({"type": "Pod", "max": {"memory": "100Mi"}})
    assert await refusal(api, make.pod()) == "maximum memory usage per Pod is 100Mi.  No limit is specified"
    pod = asking(make, limits={"memory": "60Mi"})
    pod["spec"]["containers"].append({**pod["spec"]["containers"][0], "name": "second"})
    assert await refusal(api, pod) == "maximum memory usage per Pod is 100Mi, but limit is 120Mi"


async def test_pods_that_are_there_already_are_left_alone(api, limit, make) -> None:
    await api.post(PODS, make.pod())
    await limit({"type": "Pod", "max": {"memory": "1Mi"}})
    assert (await api.patch(f"{PODS}/web", {"metadata": {"labels": {"a": "b"}}})).code == 200


@pytest.mark.parametrize(
    ("item", "cause"),
    [
        ({"type": "Machine"}, ("spec.limits[0].type", "Invalid")),
        ({"type": "Pod", "default": {"cpu": "1"}}, ("spec.limits[0].default", "Forbidden")),
        ({"type": "Container", "max": {"storage": "1"}}, ("spec.limits[0].max[storage]", "Invalid")),
        ({"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}, ("spec.limits[0].min[cpu]", "Invalid")),
        ({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}},
         ("spec.limits[0].maxLimitRequestRatio[cpu]", "Invalid")),
        ({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}},
         ("spec.limits[0].defaultRequest[cpu]", "Invalid")),
    ],
)  # fmt: skip
async def test_a_limit_that_nothing_could_keep_is_refused(api, why, item, cause) -> None:
    found = why(await api.post(RANGES, {"metadata": {"name": "bounds"}, "spec": {"limits": [item]}}))
    assert cause in found and {each[0] for each in found} <= {cause[0], cause[0].replace("max[", "default[")} | {
        cause[0].replace("max[", "defaultRequest[")
    }
