"""Gateways and HTTPRoutes by the dice: Envoy answers as `kubelab.routing.decide` says, which rule it was included."""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import subprocess
import time
from urllib.parse import quote

import pytest

from kubelab.engine.ingress import admin, envoy
from kubelab.engine.ingress.compile import KeyPair, clusters, listeners, route_configurations
from kubelab.engine.ingress.files import Configuration, Files, create
from kubelab.lab.authority import Authority
from kubelab.routing.decide import decide
from kubelab.routing.gateway import CONTROLLER, gateways
from kubelab.routing.model import ObjectName
from kubelab.routing.objects import Objects
from kubelab.routing.request import Request

pytestmark = [pytest.mark.skipif(envoy.binary() is None, reason="there is no Envoy here"), pytest.mark.timeout(120)]

HOSTS = ("a.test", "b.test", "x.a.test", "z.x.a.test", "q.test")
HOSTNAMES = ("", "*.test", "*.a.test", "a.test", "b.test", "x.a.test", "*.x.a.test")
PATHS = ("/", "/foo", "/foo/", "/foo/bar", "/fo", "/Foo")
ASKED = (*PATHS, "/foo/bar/baz", "/foobar", "/foo//bar")
SCENES, REQUESTS = 12, 40
EDGE, SECRET = ObjectName("Gateway", "d", "edge"), ObjectName("Secret", "d", "cert")
SECONDS = 20.0


def scene(dice):
    """A Gateway with some listeners, and routes that redirect each to a place of its own."""
    its = [
        {
            "name": f"l-{port}-{number}",
            "port": port,
            "protocol": protocol,
            **({"hostname": name} if name else {}),
            **tls,
        }
        for port, protocol, tls in ((80, "HTTP", {}), (443, "HTTPS", {"tls": {"certificateRefs": [{"name": "cert"}]}}))
        for number, name in enumerate(dice.sample(HOSTNAMES, dice.randint(1, 4)))
    ]
    spec = {"gatewayClassName": "kubelab", "listeners": its}
    return Objects(
        gateway_classes=[{"metadata": {"name": "kubelab"}, "spec": {"controllerName": CONTROLLER}}],
        gateways=[{"metadata": {"namespace": "d", "name": "edge"}, "spec": spec}],
        http_routes=[route(dice, number, its) for number in range(dice.randint(1, 6))],
        secrets=[{"metadata": {"namespace": "d", "name": "cert"}, "type": "kubernetes.io/tls",
                  "data": {"tls.crt": "", "tls.key": ""}}],
    )  # fmt: skip


def route(dice, number, its):
    named = {"sectionName": dice.choice(its)["name"]} if dice.random() < 0.4 else {}
    spec = {
        "parentRefs": [{"name": "edge", **named}],
        "hostnames": dice.sample(HOSTNAMES[1:], dice.randint(0, 2)),
        "rules": [rule(dice, f"r{number}-{each}.test") for each in range(dice.randint(1, 3))],
    }
    meta = {"namespace": "d", "name": f"r{number}", "creationTimestamp": str(dice.randint(1, 3))}
    return {"metadata": meta, "spec": spec}


def rule(dice, place):
    match = {"path": {"type": dice.choice(["Exact", "PathPrefix", "PathPrefix"]), "value": dice.choice(PATHS)}}
    if dice.random() < 0.3:
        match["method"] = dice.choice(["GET", "POST"])
    if dice.random() < 0.3:
        match["headers"] = [{"name": "V", "value": dice.choice("12")}]
    if dice.random() < 0.3:
        match["queryParams"] = [{"name": "q", "value": dice.choice("12")}]
    redirect = {"hostname": place, "statusCode": dice.choice([301, 302])}
    if dice.random() < 0.5:
        redirect["scheme"] = dice.choice(["http", "https"])
    if match["path"]["type"] == "PathPrefix" and dice.random() < 0.5:
        redirect["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": dice.choice(["/n", "/", "/n/"])}
    return {"matches": [match], "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}


def request(dice):
    host, tls = dice.choice(HOSTS), dice.random() < 0.5
    sni = dice.choice(HOSTS) if dice.random() < 0.2 else host
    url = f"{'https' if tls else 'http'}://{host}{dice.choice(ASKED)}{dice.choice(['', '?q=1', '?q=2&x=1'])}"
    headers = dice.choice([(), (("V", "1"),), (("v", "2"),)])
    return Request.of(url, dice.choice(["GET", "GET", "POST"]), headers, sni if tls else None, EDGE)


class Proxy:
    """An Envoy on this machine."""

    def __init__(self, folder, pair):
        self.folder, self.pair = folder, pair
        self.ports = {80: free_port(), 443: free_port()}
        self.admin = free_port()

    async def serve(self, table):
        made = route_configurations(table)
        names = {scope: (str(self.folder / file(each)), each["name"]) for scope, each in made.items()}
        serving = listeners(table, names, {SECRET: self.pair}, self.pair, lambda entrance: self.ports[entrance.port])
        files = {file(each): each for each in made.values()}
        assert await Files(self.folder, (self.admin,)).serve(Configuration(serving, files, clusters(table)))

    def answer(self, asked):
        """Status and Location."""
        with socket.create_connection(("127.0.0.1", self.ports[asked.port]), timeout=5) as plain:
            context = ssl._create_unverified_context()
            made = context.wrap_socket(plain, server_hostname=asked.sni) if asked.sni is not None else plain
            with made:
                headers = "".join(f"{name}: {value}\r\n" for name, value in (("Host", asked.host), *asked.headers))
                made.sendall(f"{asked.method} {asked.target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
                response = http.client.HTTPResponse(made)
                response.begin()
                response.read()
                return response.status, response.getheader("location") or ""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def file(routes):
    return f"routes-{quote(routes['name'], safe='')}.json"


def eventually(answer, expected):
    """The last answer, at once when it is the expected one: what was changed a moment ago is served soon."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            got = answer()
        except OSError as error:
            got = error
        if got == expected or time.monotonic() > deadline:
            return got
        time.sleep(0.02)


@pytest.fixture
def proxy(tmp_path):
    issued = Authority().issue("*.test")
    found = Proxy(tmp_path, KeyPair(issued.pem, issued.key))
    create(tmp_path)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(envoy.command(envoy.binary(), tmp_path, found.admin), stdout=log, stderr=log)
    try:
        eventually(lambda: bool(admin.ask(found.admin, "/ready")), True)
        yield found
    finally:
        process.kill()
        process.wait(10)


def test_an_envoy_tells_whoever_reaches_it_how_it_is_and_takes_no_orders(proxy):
    if tuple(map(int, envoy.version().split(".")[:2])) < (1, 37):
        pytest.skip("this Envoy cannot refuse what it is asked for")
    for method, path in (("GET", "/config_dump"), ("GET", "/certs"), ("POST", "/quitquitquit"), ("POST", "/logging")):
        assert "not allowed" in admin.ask(proxy.admin, path, method)
    assert admin.requests_under_way(proxy.admin) == 0


async def test_envoy_answers_as_is_decided(proxy):
    dice = random.Random(14)
    seen = set()
    for _ in range(SCENES):
        table = gateways(scene(dice)).table
        await proxy.serve(table)
        for asked in (request(dice) for _ in range(REQUESTS)):
            decision = decide(table, asked)
            expected = decision.status, decision.location
            assert eventually(lambda asked=asked: proxy.answer(asked), expected) == expected, (asked, decision)
            seen.add(decision.status)
    assert seen == {301, 302, 404, 421}
