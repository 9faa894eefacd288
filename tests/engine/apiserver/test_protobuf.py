"""Protobuf bodies, written here by hand as `protoc` would."""

from __future__ import annotations

import pytest

from kubelab.engine.apiserver.protobuf import field_numbers
from kubelab.engine.apiserver.schema import definitions

PROTOBUF = "application/vnd.kubernetes.protobuf"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def entry(number: int, key: str, value: str | bytes) -> bytes:
    return field(number, field(1, key) + field(2, value))


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) + field(3, "") + field(4, "")


async def test_a_deployment_in_protobuf(api) -> None:
    named_port = field(1, 1) + field(2, 0) + field(3, "http")
    probe = field(1, field(2, field(1, "/ready") + field(2, named_port))) + field(4, 3)
    limits = field(1, field(1, "cpu") + field(2, field(1, "500m")))
    port = field(1, "http") + field(2, 0) + field(3, 8080) + field(4, "TCP") + field(5, "")
    container = (
        field(1, "main") + field(2, "registry/app:1") + field(3, "serve") + field(4, "--fast") + field(6, port)
        + field(8, limits) + field(11, probe) + field(16, 0)
    )  # fmt: skip
    volume = field(1, "v") + field(2, field(19, field(1, field(1, "settings")) + field(3, 0o640)))
    pod_spec = field(1, volume) + field(2, container) + field(4, 0)
    template = field(1, entry(11, "app", "web")) + field(2, pod_spec)
    spec = (
        field(1, 0) + field(2, entry(1, "app", "web")) + field(3, template)
        + field(4, field(1, "")) + field(5, 0) + field(7, 0)
    )  # fmt: skip
    meta = field(1, "web") + field(2, "") + field(3, "") + field(7, 0) + field(8, b"") + entry(11, "app", "web")
    body = envelope("apps/v1", "Deployment", field(1, meta) + field(2, spec) + field(3, field(1, 0)))
    made = await api.send("POST", DEPLOYMENTS, body, PROTOBUF)
    assert made.code == 201, made.raw
    assert made.body["metadata"]["labels"] == {"app": "web"}
    made_spec = made.body["spec"]
    assert made_spec["replicas"] == 0
    assert "minReadySeconds" not in made_spec
    assert made_spec["template"]["spec"]["terminationGracePeriodSeconds"] == 0
    [made_container] = made_spec["template"]["spec"]["containers"]
    assert (made_container["command"], made_container["args"]) == (["serve"], ["--fast"])
    assert made_container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert made_container["resources"] == {"limits": {"cpu": "500m"}}
    assert made_container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http", "scheme": "HTTP"}
    assert made_spec["template"]["spec"]["volumes"][0]["configMap"] == {"name": "settings", "defaultMode": 0o640}


async def test_bytes_and_times_in_protobuf(api) -> None:
    path = "/api/v1/namespaces/default/secrets"
    raw = field(1, field(1, "s")) + entry(2, "k", b"\x00\xff") + field(3, "Opaque")
    assert (await api.send("POST", path, envelope("v1", "Secret", raw), PROTOBUF)).body["data"] == {"k": "AP8="}
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    spec = field(1, "me") + field(2, 15) + field(4, field(1, 1_780_000_000) + field(2, 5000))
    raw = field(1, field(1, "l")) + field(2, spec)
    made = await api.send("POST", lease, envelope("coordination.k8s.io/v1", "Lease", raw), PROTOBUF)
    assert made.body["spec"] == {
        "holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-05-28T20:26:40.000005Z"
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"k8s",
        b"{}",
        b"k8s\x00\xff\xff\xff",
        b"k8s\x00" + field(2, b"\x0a\xff\xff\xff\xff\x0f"),
        b"k8s\x00" + field(2, 7),
        envelope("v1", "ConfigMap", b"\x0b"),
        envelope("v1", "ConfigMap", field(1, field(1, b"\xff"))),
        envelope("v1", "ConfigMap", field(1, 5)),
        envelope("v1", "Secret", field(1, field(1, "a"))),
    ],
)
async def test_bytes_that_are_no_message_are_a_bad_request(api, body) -> None:
    answer = await api.send("POST", "/api/v1/namespaces/default/configmaps", body, PROTOBUF)
    assert (answer.code, answer.body["kind"]) == (400, "Status")


def test_the_numbers_are_those_of_fields_that_there_are() -> None:
    for message, fields in field_numbers().items():
        known = definitions().get(message, {}).get("properties")
        if known is None:  # the fields of an embedded message
            continue
        assert {name for name in fields.values() if not name.startswith(">")} <= set(known), message
