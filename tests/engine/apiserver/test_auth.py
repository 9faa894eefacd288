from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def whoami(api, token: str) -> dict | None:
    answer = await api.post(REVIEW, {}, authorization=f"Bearer {token}")
    return answer.body["status"]["userInfo"] if answer.code == 201 else None


async def test_a_known_token_has_a_name(api) -> None:
    assert await whoami(api, "a-token") == {
        "username": "kubernetes-admin",
        "groups": ["system:masters", "system:authenticated"],
    }


@pytest.mark.parametrize("header", ["Bearer nope", "Bearer a.b.c", "Bearer ", "Basic eDp5", "Bearer é.é.é"])
async def test_everything_else_is_unauthorized(api, header) -> None:
    answer = await api.get("/api/v1/pods", authorization=header)
    assert (answer.code, answer.body["reason"], answer.body["message"]) == (401, "Unauthorized", "Unauthorized")


async def test_health_and_version_are_for_everybody(api) -> None:
    assert (await api.get("/readyz", authorization="")).code == 200
    assert (await api.get("/version", authorization="")).code == 200
    refused = await api.get("/api", authorization="")
    assert refused.code == 403
    assert refused.body["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'


async def test_a_service_account_gets_a_token_that_says_who_it_is(api, clock) -> None:
    request = {"spec": {"expirationSeconds": 3600}}
    answer = await api.post(f"{ACCOUNT}/token", request)
    assert (answer.code, answer.body["status"]["expirationTimestamp"]) == (201, "2026-05-28T21:26:40Z")
    token = answer.body["status"]["token"]
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    assert (header["alg"], claims["sub"]) == ("ES256", "system:serviceaccount:default:default")
    user = await whoami(api, token)
    assert user is not None
    assert user["username"] == "system:serviceaccount:default:default"
    assert "system:serviceaccounts:default" in user["groups"]
    clock.forward(3601)
    assert await whoami(api, token) is None


async def test_a_token_dies_with_its_pod_and_its_account(api, make) -> None:
    made = (await api.post("/api/v1/namespaces/default/pods", make.pod())).body
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": made["metadata"]["uid"]}
    token = (await api.post(f"{ACCOUNT}/token", {"spec": {"boundObjectRef": bound}})).body["status"]["token"]
    plain = (await api.post(f"{ACCOUNT}/token", {"spec": {}})).body["status"]["token"]
    user = await whoami(api, token)
    assert user is not None
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["web"]
    await api.delete("/api/v1/namespaces/default/pods/web")
    assert await whoami(api, token) is None
    assert await whoami(api, plain) is not None
    await api.delete(ACCOUNT)
    assert await whoami(api, plain) is None


async def test_a_forged_token_is_refused(api) -> None:
    token = (await api.post(f"{ACCOUNT}/token", {"spec": {}})).body["status"]["token"]
    head, claims, signature = token.split(".")
    changed = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(claims + "==").replace(b"default:default", b"default:another")
    )
    assert await whoami(api, f"{head}.{changed.rstrip(b'=').decode()}.{signature}") is None
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert await whoami(api, f"{none}.{claims}.") is None


async def test_a_token_for_another_audience_does_not_hold_here(api) -> None:
    request = {"spec": {"audiences": ["vault"]}}
    token = (await api.post(f"{ACCOUNT}/token", request)).body["status"]["token"]
    assert await whoami(api, token) is None


async def test_a_token_outlives_the_server_when_the_key_does(tmp_path, api_of) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings = ApiServerSettings(tokens={"a-token": "kubernetes-admin"}, service_account_key=pem)
    first = ApiServer.open(tmp_path / "db", settings)
    await api_of(first).post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    token = (await api_of(first).post(f"{ACCOUNT}/token", {"spec": {}})).body["status"]["token"]
    await first.close()
    again = ApiServer.open(tmp_path / "db", settings)
    user = await whoami(api_of(again), token)
    await again.close()
    assert user is not None


async def test_a_token_is_bound_to_a_pod_of_its_own_account_alone(api, make) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "other"}})
    await api.post("/api/v1/namespaces/default/pods", make.pod())
    bound = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}}}
    refused = await api.post("/api/v1/namespaces/default/serviceaccounts/other/token", bound)
    assert (refused.code, "different serviceaccount name" in refused.body["message"]) == (400, True)
    named = {"metadata": {"name": "another"}, "spec": {}}
    assert (await api.post(f"{ACCOUNT}/token", named)).code == 400


async def test_a_token_lasts_ten_minutes_at_least(api, why) -> None:
    assert why(await api.post(f"{ACCOUNT}/token", {"spec": {"expirationSeconds": 5}})) == [
        ("spec.expirationSeconds", "Invalid")
    ]


async def test_a_token_can_be_reviewed(api) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    good = (await api.post(path, {"spec": {"token": "a-token"}})).body["status"]
    assert (good["authenticated"], good["user"]["username"]) == (True, "kubernetes-admin")
    assert "authenticated" not in (await api.post(path, {"spec": {"token": "no"}})).body["status"]


async def test_a_reviewer_says_for_which_audience_a_token_must_be_meant(api) -> None:
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    request = {"spec": {"audiences": ["vault", "other"]}}
    token = (await api.post(f"{ACCOUNT}/token", request)).body["status"]["token"]
    good = (await api.post(path, {"spec": {"token": token, "audiences": ["vault", "mail"]}})).body["status"]
    assert (good["authenticated"], good["audiences"]) == (True, ["vault"])
    for audiences in (["mail"], []):
        answer = await api.post(path, {"spec": {"token": token, "audiences": audiences}})
        assert "authenticated" not in answer.body["status"]


async def test_a_secret_of_the_accounts_type_is_given_a_token_that_lives_as_long_as_it(api, clock) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    annotations = {"kubernetes.io/service-account.name": "default"}
    wish = {"metadata": {"name": "robot", "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    assert (await api.post(secrets, wish)).code == 201
    made = (await api.get(f"{secrets}/robot")).body
    assert sorted(made["data"]) == ["ca.crt", "namespace", "token"]
    token = base64.b64decode(made["data"]["token"]).decode()
    clock.forward(10 * 365 * 86400)
    user = await whoami(api, token)
    assert user is not None
    assert user["username"] == "system:serviceaccount:default:default"
    await api.delete(f"{secrets}/robot")
    assert await whoami(api, token) is None


async def test_a_token_secret_goes_with_its_account_and_is_not_kept_for_one_that_is_not_there(api) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    for name in ("default", "nobody"):
        annotations = {"kubernetes.io/service-account.name": name}
        wish = {"metadata": {"name": f"of-{name}", "annotations": annotations}}
        await api.post(secrets, {**wish, "type": "kubernetes.io/service-account-token"})
    assert (await api.get(f"{secrets}/of-nobody")).code == 404
    assert (await api.get(f"{secrets}/of-default")).code == 200
    await api.delete(ACCOUNT)
    assert (await api.get(f"{secrets}/of-default")).code == 404
