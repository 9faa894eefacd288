from __future__ import annotations

import pytest

SECRETS = "/api/v1/namespaces/default/secrets"
TLS = {"tls.crt": "a certificate", "tls.key": "a key"}
LOGINS = '{"auths": {}}'


@pytest.mark.parametrize(
    ("kind", "plain", "causes"),
    [
        ("tls", TLS, []),
        ("tls", {"tls.crt": "", "tls.key": ""}, []),
        ("tls", {}, [("data[tls.crt]", "Required"), ("data[tls.key]", "Required")]),
        ("tls", {"tls.crt": "x", "ca.crt": "y"}, [("data[tls.key]", "Required")]),
        ("dockerconfigjson", {".dockerconfigjson": LOGINS}, []),
        ("dockerconfigjson", {"config.json": LOGINS}, [("data[.dockerconfigjson]", "Required")]),
        ("dockerconfigjson", {".dockerconfigjson": "no JSON"}, [("data[.dockerconfigjson]", "Invalid")]),
        ("dockerconfigjson", {".dockerconfigjson": "[]"}, [("data[.dockerconfigjson]", "Invalid")]),
        ("dockercfg", {".dockercfg": ""}, [("data[.dockercfg]", "Invalid")]),
        ("basic-auth", {"password": ""}, []),
        ("basic-auth", {}, [("data[username]", "Required"), ("data[password]", "Required")]),
        ("ssh-auth", {"ssh-privatekey": "k"}, []),
        ("ssh-auth", {"ssh-privatekey": ""}, [("data[ssh-privatekey]", "Required")]),
        ("service-account-token", {}, [("metadata.annotations[kubernetes.io/service-account.name]", "Required")]),
    ],
)
async def test_a_type_asks_for_its_keys(api, why, kind, plain, causes) -> None:
    body = {"metadata": {"name": "s"}, "type": f"kubernetes.io/{kind}", "stringData": plain}
    answer = await api.post(SECRETS, body)
    assert ([] if answer.code == 201 else why(answer)) == causes
    assert b"no JSON" not in answer.raw


async def test_the_type_stays_and_so_do_its_keys(api, why) -> None:
    body = {"metadata": {"name": "shop-tls"}, "type": "kubernetes.io/tls", "stringData": TLS}
    await api.post(SECRETS, body)
    path = f"{SECRETS}/shop-tls"
    assert why(await api.patch(path, {"type": "Opaque"})) == [("type", "Invalid")]
    assert why(await api.patch(path, {"data": {"tls.key": None}})) == [("data[tls.key]", "Required")]
    renewed = await api.patch(path, {"stringData": {"tls.crt": "another"}})
    assert (renewed.code, renewed.body["type"]) == (200, "kubernetes.io/tls")
