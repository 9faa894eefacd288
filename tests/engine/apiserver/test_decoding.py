"""Bodies that are wrong in every way."""

from __future__ import annotations

import json

import pytest

from kubelab.engine import quantity

SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"
CM = "/api/v1/namespaces/default/configmaps"


async def test_a_strict_reader_refuses_unknown_fields(api, make) -> None:
    body = make.service(foo=1, ports=[{"port": 80, "prot": "TCP"}])
    refused = await api.post(f"{SERVICES}?fieldValidation=Strict", body)
    assert (refused.code, refused.body["reason"]) == (400, "BadRequest")
    assert refused.body["message"] == (
        'Service in version "v1" cannot be handled as a Service: strict decoding error: '
        'unknown field "spec.ports[0].prot", unknown field "spec.foo"'
    )


async def test_unless_told_otherwise_unknown_fields_are_warned_of_and_dropped(api, make) -> None:
    made = await api.post(SERVICES, make.service(foo=1))
    assert made.code == 201
    assert made.headers["warning"] == '299 - "unknown field \\"spec.foo\\""'
    assert "foo" not in made.body["spec"]
    quiet = await api.post(f"{SERVICES}?fieldValidation=Ignore", make.service("b", foo=1))
    assert (quiet.code, quiet.headers.get("warning")) == (201, None)


async def test_a_field_that_is_there_twice_is_noticed(api) -> None:
    body = b'{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    refused = await api.send("POST", f"{CM}?fieldValidation=Strict", body)
    assert 'duplicate field "data.k"' in refused.body["message"]
    assert (await api.send("POST", CM, body)).body["data"] == {"k": "2"}


async def test_a_strict_patch_with_an_unknown_field_is_invalid(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    refused = await api.patch(f"{CM}/a?fieldValidation=Strict", {"dat": {}})
    assert refused.code == 422
    assert refused.body["details"]["causes"][0]["field"] == "patch"
    assert 'strict decoding error: unknown field "dat"' in refused.body["message"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"replicas": "3"}, "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (
            {"replicas": 1.5},
            "cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        ({"replicas": True}, "cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (
            {"template": []},
            "cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec",
        ),
        (
            {"template": {"spec": {"containers": {}}}},
            "cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}},
            "cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type "
            "string",
        ),
    ],
)
async def test_a_wrong_type_is_named_as_gos_decoder_names_it(api, spec, message) -> None:
    refused = await api.post("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "a"}, "spec": spec})
    assert refused.code == 400
    assert refused.body["message"] == f'Deployment in version "v1" cannot be handled as a Deployment: json: {message}'


async def test_quantities_are_checked_and_given_back_in_one_spelling(api, make) -> None:
    limits = {"cpu": 0.5, "memory": "1024Mi", "ephemeral-storage": "1000M"}
    container = {"name": "main", "image": "a", "resources": {"limits": limits, "requests": {"cpu": "100m"}}}
    made = await api.post(PODS, make.pod(containers=[container]))
    assert made.body["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1G"},
        "requests": {"cpu": "100m", "memory": "1Gi", "ephemeral-storage": "1G"},
    }
    container["resources"] = {"limits": {"cpu": "much"}}
    refused = await api.post(PODS, make.pod("b", containers=[container]))
    assert "quantities must match the regular expression" in refused.body["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"metadata": NaN}',
        b'{"metadata": 5}',
        b'{"metadata": {"name": 5}}',
        b'{"metadata":{"name":"a","labels":[]}}',
        b'{"metadata":{"name":"a","labels":{"k":5}}}',
        b'{"kind":"Pod","metadata":{"name":"a"}}',
        b'{"apiVersion":"v2","metadata":{"name":"a"}}',
        b'{"metadata":{"name":"a","ownerReferences":{}}}',
        b'{"metadata":{"name":"a","creationTimestamp":"yesterday"}}',
        b"[" * 100_000,
        b'{"metadata":{"name":"a","annotations":' + b'{"a":' * 50_000,
        b'{"data":' + b"[" * 90 + b"]" * 90 + b"}",
        b'{"data":{"k":1e999}}',
        b'{"metadata":{"name":"a","ownerReferences":[' + b"{}," * 500_000 + b"{}]}}",
        b"{" + b",".join(b'"k%d":1' % (number // 2) for number in range(250_000)) + b"}",  # each name twice
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_a_body_that_makes_no_sense_is_a_bad_request(api, body) -> None:
    refused = await api.send("POST", CM, body)
    assert refused.code == 400, refused.raw
    assert refused.body["kind"] == "Status"


@pytest.mark.parametrize(
    "body",
    [
        b": [",
        b"&a [*a]",
        b"a: &a [x,x]\nb: [*a,*a]",
        b"\t- x",
        b"!!python/object:os.system x",
        b"- a",
        b"k: .nan",
        b'k: !!int ""',
        b'k: !!bool "x"',
        b"? !!timestamp 2020-01-01\n: x",
        b"a: b\n" * 300_000,
        b"[" * 100_000,  # the rest: libyaml's loader would recurse until the process is gone
        b'{"a":' * 100_000,
        b"- " * 100_000,
        b"? " * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_yaml_that_makes_no_sense_is_a_bad_request(api, body) -> None:
    refused = await api.send("POST", CM, body, "application/yaml")
    assert (refused.code, refused.body["kind"]) == (400, "Status")


async def test_yaml_is_read_and_written(api) -> None:
    made = await api.send(
        "POST", CM, b"metadata: {name: a}\ndata:\n  k: v\n", "application/yaml", accept="application/yaml"
    )
    assert made.code == 201
    assert made.headers["content-type"] == "application/yaml"
    assert b"data:\n  k: v\n" in made.raw


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("1E999999999", str(2**63 - 1)), ("-1e4000000", str(1 - 2**63)), ("100Ei", str(2**63 - 1)), ("1e-999999", "1n")],
)
def test_a_quantity_beyond_the_limits_is_cut_down_to_them_at_once(text, canonical) -> None:
    assert quantity.canonical(text) == canonical


def test_a_quantity_of_ten_thousand_digits_is_refused() -> None:
    with pytest.raises(quantity.BadQuantity):
        quantity.canonical("9" * 10_000)


async def test_a_body_over_three_mebibytes_is_too_large(api) -> None:
    body = json.dumps({"metadata": {"name": "a"}, "data": {"k": "x" * (3 * 1024 * 1024)}}).encode()
    refused = await api.send("POST", CM, body)
    assert (refused.code, refused.body["reason"]) == (413, "RequestEntityTooLarge")


async def test_what_cannot_be_read_or_written_is_said_so(api) -> None:
    assert (await api.send("POST", CM, b"x", "text/plain")).code == 415
    assert (await api.send("PATCH", f"{CM}/a", b"{}", "application/json")).code == 415
    assert (await api.get(CM, accept="application/vnd.kubernetes.protobuf")).code == 406
    assert (await api.get(CM, accept="application/vnd.kubernetes.protobuf,application/json")).code == 200


@pytest.mark.parametrize(
    "query",
    ["limit=x", "limit=--1", "labelSelector=a+in+(", "labelSelector=a==b==c", "fieldSelector=spec.foo=1",
     "fieldSelector=metadata.name", "resourceVersion=abc", "continue=zzz", "continue=bm9qc29u",
     "watch=1&limit=x", "labelSelector=a%00b"],
)  # fmt: skip
async def test_a_parameter_that_makes_no_sense_is_a_bad_request(api, query) -> None:
    refused = await api.get(f"{CM}?{query}")
    assert (refused.code, refused.body["kind"]) == (400, "Status"), refused.raw


async def test_half_a_character_is_read_as_go_reads_it(api) -> None:
    body = rb'{"metadata":{"name":"a"},"data":{"half":"\ud800","whole":"\ud83d\ude00","spelled":"\\ud800"}}'
    made = await api.send("POST", CM, body)
    assert made.body["data"] == {"half": "\ufffd", "whole": "\U0001f600", "spelled": r"\ud800"}
