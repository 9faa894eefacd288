from __future__ import annotations

import pytest

CM = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def five(api) -> None:
    for number in range(5):
        labels = {"number": str(number), **({"even": ""} if number % 2 == 0 else {})}
        await api.post(CM, {"metadata": {"name": f"n{number}", "labels": labels}})


def names(answer) -> list[str]:
    assert answer.code == 200, answer.raw
    return [item["metadata"]["name"] for item in answer.body["items"]]


async def test_a_list_says_its_kind_once(api, five) -> None:
    listed = (await api.get(CM)).body
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item and "apiVersion" not in item for item in listed["items"])


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("number=1", "n1"), ("number==1", "n1"), ("number!=1", "n0 n2 n3 n4"), ("even", "n0 n2 n4"), ("!even", "n1 n3"),
        ("number in (1, 2)", "n1 n2"), ("number notin (1,2),even", "n0 n4"), ("number>2", "n3 n4"), ("number<1", "n0"),
        ("even=", "n0 n2 n4"), ("absent!=x", "n0 n1 n2 n3 n4"), ("absent=x", ""), ("example.com/a=b", ""),
    ],
)  # fmt: skip
async def test_label_selectors(api, five, selector, expected) -> None:
    assert " ".join(names(await api.get(f"{CM}?labelSelector={selector}"))) == expected


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("app in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app===", "unable to parse requirement: found '=', expected: identifier"),
        ("app=web=shop", "found '=', expected: ',' or 'end of string'"),
        ("app=web shop", "found 'shop', expected: ',' or 'end of string'"),
        ("app=web,,", "found ',', expected: identifier after ','"),
        ("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("!!app", "unable to parse requirement: found '!', expected: identifier"),
    ],
)
async def test_a_selector_that_cannot_be_read_says_where(api, selector, why) -> None:
    answer = await api.get(f"{CM}?labelSelector={selector}")
    assert (answer.code, answer.body["message"]) == (400, why)


async def test_field_selectors(api, five, make) -> None:
    assert names(await api.get(f"{CM}?fieldSelector=metadata.name=n3")) == ["n3"]
    assert names(await api.get(f"{CM}?fieldSelector=metadata.name!=n3,metadata.namespace=default")) == [
        "n0",
        "n1",
        "n2",
        "n4",
    ]
    refused = await api.get("/api/v1/pods?fieldSelector=spec.foo=a")
    assert refused.body["message"] == "field label not supported: spec.foo"


async def test_pages_show_one_moment_whatever_happens_between_them(api, five) -> None:
    first = await api.get(f"{CM}?limit=2")
    assert names(first) == ["n0", "n1"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    await api.delete(f"{CM}/n2")
    await api.post(CM, {"metadata": {"name": "n9"}})
    second = await api.get(f"{CM}?limit=2&continue={first.body['metadata']['continue']}")
    third = await api.get(f"{CM}?limit=2&continue={second.body['metadata']['continue']}")
    assert names(second) + names(third) == ["n2", "n3", "n4"]
    assert "continue" not in third.body["metadata"]
    assert first.body["metadata"]["resourceVersion"] == third.body["metadata"]["resourceVersion"]


async def test_an_exact_version_lists_the_past(api, five) -> None:
    version = (await api.get(CM)).body["metadata"]["resourceVersion"]
    await api.delete(f"{CM}/n2")
    assert "n2" in names(await api.get(f"{CM}?resourceVersion={version}&resourceVersionMatch=Exact"))
    assert "n2" not in names(await api.get(f"{CM}?resourceVersion={version}&resourceVersionMatch=NotOlderThan"))


async def test_a_list_of_all_namespaces(api, five) -> None:
    await api.post("/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "a"}})
    assert names(await api.get("/api/v1/configmaps")) == ["n0", "n1", "n2", "n3", "n4", "a"]


async def test_metadata_alone_can_be_asked_for(api, five) -> None:
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    listed = (await api.get(CM, accept=partial)).body
    assert (listed["kind"], listed["items"][0]["kind"]) == ("PartialObjectMetadataList", "PartialObjectMetadata")
    one = (await api.get(f"{CM}/n1", accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")).body
    assert (one["kind"], one["metadata"]["name"], "data" in one) == ("PartialObjectMetadata", "n1", False)
