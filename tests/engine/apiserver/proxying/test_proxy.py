"""Requests by way of the API server, to servers of the test."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest
from aiohttp import web

from kubelab.engine.apiserver.proxying import connecting
from kubelab.engine.apiserver.status import StatusError
from kubelab.engine.client import ApiRequest
from tests.engine.apiserver.network import TOKEN, loopback, server_tls

POD = "/api/v1/namespaces/default/pods/web:8080/proxy"
PLACE = "10.244.1.5:8080"


@pytest.fixture
async def pod(place):
    await place("web", "10.244.1.5")


async def echo(request: web.BaseRequest) -> web.Response:
    headers = [[name, value] for name, value in request.headers.items()]
    said = {"line": f"{request.method} {request.raw_path}", "headers": headers, "body": await request.text()}
    return web.json_response(said, status=201, headers={"X-Server": "web", "Access-Control-Allow-Origin": "*"})


async def test_a_request_and_its_answer_pass_as_they_are(pod, serve, session, https) -> None:
    await serve(PLACE, echo)
    headers = {"X-Mine": "1", "Connection": "X-Hop", "X-Hop": "1", "X-Forwarded-For": "192.0.2.1", "Cookie": "a=b"}
    async with session.post(f"{POD}/a%20b//c%2Fd/?q=%201&q", data=b"body", headers=headers) as answer:
        said = await answer.json()
    assert (answer.status, answer.headers["X-Server"], answer.headers["Cache-Control"]) == (
        201,
        "web",
        "no-cache, private",
    )
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert (said["line"], said["body"]) == ("POST /a%20b/c/d/?q=%201&q", "body")
    seen = {name.lower(): value for name, value in said["headers"]}
    assert (seen["x-mine"], seen["cookie"], seen["host"]) == ("1", "a=b", f"127.0.0.1:{https}")
    assert seen["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert seen["x-forwarded-uri"] == f"{POD}/a%20b/c/d/"
    assert not {"x-hop", "connection"} & seen.keys()


async def test_nobody_behind_the_proxy_sees_who_asks(pod, serve, session) -> None:
    await serve(PLACE, echo)
    async with session.get(
        f"{POD}/", headers={"Impersonate-User": "kubernetes-admin", "Impersonate-Group": "system:masters"}
    ) as answer:
        text = await answer.text()
    assert answer.status == 201
    assert TOKEN not in text and "mpersonate" not in text and "uthorization" not in text


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_passes(pod, serve, session, method) -> None:
    await serve(PLACE, echo)
    async with session.request(method, f"{POD}/x") as answer:
        assert (await answer.json())["line"] == f"{method} /x"


async def test_other_methods_and_dry_runs_do_not(pod, session) -> None:
    async with session.request("TRACE", f"{POD}/x") as answer:
        assert answer.status == 405
    async with session.post(f"{POD}/x?dryRun=All") as answer:
        assert (answer.status, (await answer.json())["message"]) == (400, "dryRun is not supported")


async def test_a_path_that_has_no_end_is_sent_to_the_one_that_has(pod, serve, session) -> None:
    await serve(PLACE, echo)
    async with session.get(f"{POD}?a=1", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"{POD}/?a=1")
    async with session.post(POD) as answer:
        assert (await answer.json())["line"] == "POST /"


async def test_bodies_of_any_size_pass_as_they_come(pod, serve, session) -> None:
    go_on = asyncio.Event()

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        size = sum([len(chunk) async for chunk in request.content.iter_any()])
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(f"{size}\n".encode())
        await go_on.wait()
        await response.write(b"end")
        return response

    async def parts():
        for _ in range(5):
            yield b"x" * 1024 * 1024

    await serve(PLACE, count)
    async with session.post(f"{POD}/", data=parts()) as answer:
        assert await asyncio.wait_for(answer.content.readline(), 5) == b"5242880\n"
        go_on.set()
        assert await asyncio.wait_for(answer.content.read(), 5) == b"end"


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(pod, serve, session) -> None:
    await serve(PLACE, echo)
    async with session.put(f"{POD}/", data=b"body", expect100=True) as answer:
        assert (await asyncio.wait_for(answer.json(), 5))["body"] == "body"


async def test_links_and_redirects_lead_back_through_the_proxy(pod, serve, session) -> None:
    async def page(request: web.BaseRequest) -> web.Response:
        if request.path == "/old":
            return web.Response(status=302, headers={"Location": "/new", "Set-Cookie": "a=1"})
        return web.Response(text='<a href="/x">x</a>', content_type="text/html")

    await serve(PLACE, page)
    async with session.get(f"{POD}/old", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"], answer.headers["Set-Cookie"]) == (302, f"{POD}/new", "a=1")
    async with session.get(f"{POD}/") as answer:
        assert await answer.text() == f'<a href="{POD}/x">x</a>'
    async with session.head(f"{POD}/") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_the_services_proxy_is_the_same(place, expose, subset, serve, session) -> None:
    await place("web", "10.244.1.5")
    await expose("web", [{"port": 80, "targetPort": 8080}], [subset({"web": "10.244.1.5"}, {"": 8080})])
    await serve(PLACE, echo)
    async with session.get("/api/v1/namespaces/default/services/web/proxy/x") as answer:
        assert (await answer.json())["line"] == "GET /x"


async def test_a_pods_certificate_may_be_anybodys(pod, serve, session) -> None:
    await serve(PLACE, echo, tls=True)
    async with session.get("/api/v1/namespaces/default/pods/https:web:8080/proxy/x") as answer:
        assert (await answer.json())["line"] == "GET /x"


async def test_a_server_that_cannot_be_reached_is_told_of_in_gos_words(pod, serve, session, pods) -> None:
    async def dumb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async def told(name: str = "web:8080") -> tuple[int, str]:
        async with session.get(f"/api/v1/namespaces/default/pods/{name}/proxy/") as answer:
            body = await answer.json()
            assert body["kind"] == "Status"
            return answer.status, body["message"].removeprefix("error trying to reach service: ")

    assert await told() == (503, f"dial tcp {PLACE}: connect: connection refused")
    async with await asyncio.start_server(dumb, "127.0.0.1", 0) as server:
        pods.servers[PLACE] = server.sockets[0].getsockname()[1]
        said = b""
        assert await told() == (503, "EOF")
        said = b"220 mail.example.org\r\n\r\n"
        assert await told() == (
            503,
            "net/http: HTTP/1.x transport connection broken: malformed HTTP response",
        )
    await serve(PLACE, echo)
    assert await told("https:web:8080") == (503, "http: server gave HTTP response to HTTPS client")


async def test_a_server_that_never_answers_a_handshake_is_not_waited_for(pod, session, pods, monkeypatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(connecting, "HANDSHAKE_SECONDS", 0.05)
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        pods.servers[PLACE] = server.sockets[0].getsockname()[1]
        async with session.get("/api/v1/namespaces/default/pods/https:web:8080/proxy/") as answer:
            said = (await answer.json())["message"]
    assert said == "error trying to reach service: net/http: TLS handshake timeout"


async def test_an_answer_that_breaks_off_is_not_whole_for_the_client_either(pod, session, pods) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        media = b"html" if b" /page " in await reader.readuntil(b"\r\n\r\n") else b"plain"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/" + media + b"\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        pods.servers[PLACE] = server.sockets[0].getsockname()[1]
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"{POD}/") as answer:
                await answer.read()
        async with session.get(f"{POD}/page") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (503, "ServiceUnavailable")


async def test_a_client_that_goes_takes_the_connection_to_the_server_along(pod, session, pods) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhalf")
        await reader.read()
        gone.set()
        writer.close()

    gone = asyncio.Event()
    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        pods.servers[PLACE] = server.sockets[0].getsockname()[1]
        async with session.get(f"{POD}/") as answer:
            assert await answer.content.readexactly(4) == b"half"
            answer.close()
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_nodes_proxy_reaches_its_kubelet(api, session, tls_folder) -> None:
    server, sock = web.Server(echo), loopback()
    listening = await asyncio.get_running_loop().create_server(server, sock=sock, ssl=server_tls(tls_folder))
    status = {
        "addresses": [{"type": "ExternalDNS", "address": "localhost"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": sock.getsockname()[1]}},
    }
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    async with session.get("/api/v1/nodes/n1/proxy/healthz") as answer:
        assert (await answer.json())["line"] == "GET /healthz"
    listening.close()
    await server.shutdown(0.1)


# -- who may ------------------------------------------------------------------------------------


async def test_the_subresources_verbs_are_needed(pod, serve, session, api) -> None:
    await serve(PLACE, echo)
    jane = {"Authorization": "Bearer another-token"}
    async with session.get(f"{POD}/", headers=jane) as answer:
        said = await answer.json()
    assert answer.status == 403
    assert 'cannot get resource "pods/proxy" in API group "" in the namespace "default"' in said["message"]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rules = [{"apiGroups": [""], "resources": ["pods/proxy"], "resourceNames": ["web:8080"], "verbs": ["get"]}]
    await api.post(f"{rbac}/roles", {"metadata": {"name": "web"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}
    await api.post(f"{rbac}/rolebindings", {"metadata": {"name": "web"}, "roleRef": reference, "subjects": [subject]})
    async with session.get(f"{POD}/", headers=jane) as answer:
        assert answer.status == 201
    async with session.post(f"{POD}/", headers=jane) as answer:
        assert answer.status == 403


async def test_a_policy_may_forbid_a_path(pod, serve, session, api) -> None:
    await serve(PLACE, echo)
    admission = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/proxy"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "!object.path.startsWith('admin')", "message": "not there"}],
    }
    policy = {"metadata": {"name": "p"}, "spec": spec}
    assert (await api.post(f"{admission}/validatingadmissionpolicies", policy)).code == 201
    binding = {"metadata": {"name": "p"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}}
    assert (await api.post(f"{admission}/validatingadmissionpolicybindings", binding)).code == 201
    for path, code in (("admin/x", 422), ("public", 201)):
        async with session.get(f"{POD}/{path}") as answer:
            assert answer.status == code, await answer.text()


async def test_a_request_without_a_connection_is_refused(server, pod) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = await server.handle(ApiRequest("GET", f"{POD}/", (), headers))
    assert answer.status == 400
    with pytest.raises(StatusError):
        server.proxied(ApiRequest("GET", f"{POD}/", (), {}))


async def test_discovery_names_the_proxies(api) -> None:
    listed = {one["name"]: one for one in (await api.get("/api/v1")).body["resources"]}
    for plural, kind in (("services", "Service"), ("pods", "Pod"), ("nodes", "Node")):
        entry = listed[f"{plural}/proxy"]
        assert (entry["kind"], entry["verbs"]) == (
            f"{kind}ProxyOptions",
            ["create", "delete", "get", "patch", "update"],
        )


# -- other protocols ----------------------------------------------------------------------------


async def test_websockets_pass_with_their_protocol(pod, serve, session) -> None:
    offered = []

    async def shout(request: web.BaseRequest) -> web.StreamResponse:
        offered.append(
            (request.raw_path, request.headers["Sec-WebSocket-Protocol"], "Authorization" in request.headers)
        )
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    await serve(PLACE, shout)
    protocols = ["base64url.bearer.authorization.k8s.io.YS10b2tlbg", "chat"]
    async with session.ws_connect(f"{POD}/talk?room=1", protocols=protocols) as stream:
        assert stream.protocol == "chat"
        await stream.send_str("hello")
        assert await stream.receive_str(timeout=5) == "HELLO"
    assert offered == [("/talk?room=1", "chat", False)]


async def test_a_refused_upgrade_is_the_servers_answer(pod, serve, session) -> None:
    async def refuse(request: web.BaseRequest) -> web.Response:
        return web.Response(status=418, text="no") if request.path == "/tea" else web.Response(text="hello")

    with pytest.raises(aiohttp.WSServerHandshakeError) as nobody:
        await session.ws_connect(f"{POD}/")
    assert nobody.value.status == 500
    await serve(PLACE, refuse)
    for path, code in (("/tea", 418), ("/", 500)):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{POD}{path}")
        assert refused.value.status == code


async def test_any_other_protocol_passes_too(pod, pods, https, tls_folder) -> None:
    async def parrot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: parrot\r\nX-Word: a\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data * 2)
        writer.close()

    heard: list[bytes] = []
    async with await asyncio.start_server(parrot, "127.0.0.1", 0) as server, asyncio.timeout(5):
        pods.servers[PLACE] = server.sockets[0].getsockname()[1]
        tls = ssl.create_default_context(cafile=str(tls_folder / "ca.crt"))
        reader, writer = await asyncio.open_connection("127.0.0.1", https, ssl=tls)
        head = f"POST {POD}/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: Upgrade\r\n"
        writer.write(f"{head}Upgrade: parrot\r\nContent-Length: 0\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ") and b"X-Word: a\r\n" in answer
        writer.write(b"hello")
        assert await reader.readexactly(10) == b"hellohello"
        writer.close()
        await writer.wait_closed()
    assert b"POST / HTTP/1.1\r\n" in heard[0] and TOKEN.encode() not in heard[0]
