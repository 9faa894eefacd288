"""kubectl's ways with Ingresses, over HTTPS."""

from __future__ import annotations

import json
import re
import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

MANIFEST = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  rules:
  - host: shop.example.test
    http:
      paths:
      - {path: /cart, pathType: Prefix, backend: {service: {name: cart, port: {name: http}}}}
"""
CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: kubelab, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: kubelab.dev/ingress-controller}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.244.1.7], conditions: {ready: true}}]
"""


async def test_an_ingress_is_created_by_flags_and_described(kubectl) -> None:
    await kubectl.ok("apply", "-f", "-", stdin=CLASS)
    await kubectl.ok("create", "service", "clusterip", "cart", "--tcp=80:8080")
    await kubectl.ok("patch", "svc", "cart", "-p", '{"spec":{"ports":[{"port":80,"name":"http"}]}}')
    await kubectl.ok("apply", "-f", "-", stdin=SLICE)
    rules = ("--rule=shop.example.test/cart*=cart:http,tls=shop-tls", "--rule=shop.example.test/exact=cart:80")
    assert await kubectl.ok("create", "ingress", "shop", *rules) == "ingress.networking.k8s.io/shop created\n"
    made = json.loads(await kubectl.ok("get", "ing", "shop", "-o", "json"))["spec"]
    assert made["ingressClassName"] == "kubelab"
    assert [path["pathType"] for path in made["rules"][0]["http"]["paths"]] == ["Prefix", "Exact"]
    table = (await kubectl.ok("get", "ingress")).splitlines()
    assert table[0].split() == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert re.match(r"shop +kubelab +shop.example.test +80, 443 +\S+", table[1])
    assert re.search(r"kubelab \(default\) +kubelab.dev/ingress-controller +<none>",
                     await kubectl.ok("get", "ingressclass"))  # fmt: skip
    described = await kubectl.ok("describe", "ingress", "shop")
    assert re.search(r"/cart +cart:http \(10\.244\.1\.7:8080\)", described), described
    assert "shop-tls terminates shop.example.test" in described
    assert "Controller:   kubelab.dev/ingress-controller" in await kubectl.ok("describe", "ingressclass", "kubelab")


async def test_an_ingress_is_applied_compared_patched_edited_and_explained(kubectl) -> None:
    async def paths() -> str:
        return await kubectl.ok("get", "ing", "shop", "-o", "jsonpath={.spec.rules[*].http.paths[*].path}")

    assert await kubectl.ok("apply", "-f", "-", stdin=MANIFEST) == "ingress.networking.k8s.io/shop created\n"
    assert await kubectl.ok("apply", "-f", "-", stdin=MANIFEST) == "ingress.networking.k8s.io/shop unchanged\n"
    compared = await kubectl("diff", "-f", "-", stdin=MANIFEST.replace("/cart", "/basket"))
    assert (compared.returncode, "path: /basket" in compared.stdout) == (1, True)
    await kubectl.ok("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=MANIFEST.replace("/cart", "/b"))
    assert await paths() == "/b"
    await kubectl.ok("edit", "ing", "shop", KUBE_EDITOR="sed -i s#path:./b#path:\\ /c#")
    assert await paths() == "/c"
    await kubectl.ok("patch", "ing", "shop", "--type=json", "-p",
                     '[{"op":"replace","path":"/spec/rules/0/http/paths/0/path","value":"/d"}]')  # fmt: skip
    assert await paths() == "/d"
    assert "FIELD: pathType <string>" in await kubectl.ok("explain", "ingress.spec.rules.http.paths.pathType")
    refused = await kubectl.fails("apply", "-f", "-", stdin=MANIFEST.replace("/cart", "/a//b"))
    assert refused.endswith("spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'\n")
    assert await kubectl.ok("delete", "ing", "shop") == 'ingress.networking.k8s.io "shop" deleted\n'
