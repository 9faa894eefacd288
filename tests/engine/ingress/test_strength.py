"""What an ingress has to bear without a lost request: half-written files, emptied Secrets, many objects at once."""

from __future__ import annotations

import base64

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

MANY = 60
HALF_WRITTEN = """
from pathlib import Path
for file in Path("/tmp/kubelab-ingress").glob("[!b]*.json"):
    half = file.with_suffix(".half")
    half.write_text(file.read_text()[: file.stat().st_size // 2])
    half.rename(file)
"""
"""Of all files that Envoy watches."""


def is_served(door, host):
    return door.get(host=host).status == 200


def test_half_written_files_leave_what_is_served_and_the_next_change_mends_them(door):
    with door.under_load():
        door.in_controller(HALF_WRITTEN)
        door.lab.apply(door.ingress("next", "next.test"))
        door.eventually(lambda: is_served(door, "next.test"))


def test_an_emptied_secret_leaves_the_last_good_certificate(door):
    first = door.lab.certificate(door.host, secret="shop-tls")
    door.lab.apply(door.ingress("shop", tls=[{"hosts": [door.host], "secretName": "shop-tls"}]))
    door.eventually(lambda: door.lab.tls(door.host).fingerprint == first.fingerprint)
    empty = dict.fromkeys(("tls.crt", "tls.key"), base64.b64encode(b"").decode())
    with door.under_load():
        door.lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"},
                        "type": "kubernetes.io/tls", "data": empty})  # fmt: skip
        door.eventually(lambda: "SecretInvalid" in door.reasons("shop"))
        assert door.lab.tls(door.host).fingerprint == first.fingerprint
        second = door.lab.certificate(door.host, secret="shop-tls")
        door.eventually(lambda: door.lab.tls(door.host).fingerprint == second.fingerprint)


def test_many_ingresses_at_once_are_served_and_gone_at_once_without_a_lost_request(door):
    names = [f"many-{number}" for number in range(MANY)]
    with door.under_load():
        door.lab.apply([door.ingress(name, f"{name}.test") for name in names])
        door.eventually(lambda: all(is_served(door, f"{name}.test") for name in names))
        for name in names:
            door.lab.delete(f"ingress/{name}")
        door.eventually(lambda: not any(is_served(door, f"{name}.test") for name in names[:: MANY // 10]))
