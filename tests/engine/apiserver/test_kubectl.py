"""kubectl against the server, over HTTPS."""

from __future__ import annotations

import json
import re
import shutil

import pytest

PATCH = '{"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"1"}]}]}}}}'

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


async def test_a_deployment_from_create_to_delete(kubectl) -> None:
    created = await kubectl.ok("create", "deployment", "web", "--image=nginx", "--replicas=2")
    assert created == "deployment.apps/web created\n"
    assert await kubectl.ok("scale", "deploy", "web", "--replicas=5") == "deployment.apps/web scaled\n"
    await kubectl.ok("label", "deploy", "web", "tier=front")
    await kubectl.ok("annotate", "deploy", "web", "note=hello")
    await kubectl.ok("set", "image", "deploy/web", "nginx=nginx:1.27")
    await kubectl.ok("patch", "deploy", "web", "-p", PATCH)
    await kubectl.ok("edit", "deploy", "web", KUBE_EDITOR="sed -i s/replicas:.5/replicas:\\ 7/")
    await kubectl.ok("rollout", "restart", "deploy", "web")
    made = json.loads(await kubectl.ok("get", "deploy", "web", "-o", "json"))
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert (made["spec"]["replicas"], made["metadata"]["labels"]["tier"]) == (7, "front")
    assert (container["image"], container["env"]) == ("nginx:1.27", [{"name": "A", "value": "1"}])
    table = (await kubectl.ok("get", "deploy", "-o", "wide")).splitlines()
    assert table[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert re.match(r"web +0/7 +0 +0 +\d+s +nginx +nginx:1.27 +app=web", table[1])
    assert "7 desired" in await kubectl.ok("describe", "deploy", "web")
    assert await kubectl.ok("delete", "deploy", "web") == 'deployment.apps "web" deleted\n'


async def test_a_service_is_exposed_and_described(kubectl) -> None:
    await kubectl.ok("create", "deployment", "web", "--image=nginx")
    await kubectl.ok("expose", "deployment", "web", "--port=80", "--target-port=8080")
    text = await kubectl.ok("describe", "svc", "web")
    assert "TargetPort:               8080/TCP" in text
    assert "IP Families:              IPv4" in text


MANIFEST = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n"


async def test_apply_creates_configures_and_leaves_alone(kubectl) -> None:
    assert await kubectl.ok("apply", "-f", "-", stdin=MANIFEST) == "service/a created\n"
    assert await kubectl.ok("apply", "-f", "-", stdin=MANIFEST) == "service/a unchanged\n"
    assert await kubectl.ok("apply", "-f", "-", stdin=MANIFEST.replace("80", "81")) == "service/a configured\n"
    assert await kubectl.ok("get", "svc", "a", "-o", "jsonpath={.spec.ports[*].port}") == "81"
    assert await kubectl.ok("apply", "--server-side", "-f", "-", stdin=MANIFEST.replace("80", "81")) == (
        "service/a serverside-applied\n"
    )
    done = await kubectl("diff", "-f", "-", stdin=MANIFEST.replace("80", "82"))
    assert (done.returncode, "+  - port: 82" in done.stdout) == (1, True)


async def test_what_is_wrong_with_a_manifest_is_said_as_upstream_says_it(kubectl) -> None:
    unknown = MANIFEST.replace("spec: {", "spec: {foo: bar, ")
    assert await kubectl.fails("apply", "-f", "-", stdin=unknown) == (
        'Error from server (BadRequest): error when creating "STDIN": Service in version "v1" cannot be handled as a '
        'Service: strict decoding error: unknown field "spec.foo"\n'
    )
    warned = await kubectl("apply", "--validate=warn", "-f", "-", stdin=unknown)
    assert (warned.returncode, warned.stderr) == (0, 'Warning: unknown field "spec.foo"\n')
    assert 'no matches for kind "Sevrice" in version "v1"' in await kubectl.fails(
        "apply", "-f", "-", stdin=MANIFEST.replace("Service", "Sevrice")
    )
    assert "error converting YAML to JSON" in await kubectl.fails("apply", "-f", "-", stdin="a: [\n")
    wrong_type = MANIFEST.replace("name: a", "name: b").replace("80", "eighty")
    refused = await kubectl.fails("apply", "-f", "-", stdin=wrong_type)
    assert "cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32" in refused
    twice_wrong = MANIFEST.replace("port: 80", "port: 0").replace(": a", ": A")
    assert await kubectl.fails("apply", "-f", "-", stdin=twice_wrong) == (
        'The Service "A" is invalid: \n'
        '* metadata.name: Invalid value: "A": a DNS-1035 label must consist of lower case alphanumeric characters or '
        "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
        "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')\n"
        "* spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive\n"
        "* spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive\n"
    )


async def test_typed_commands_that_send_protobuf(kubectl) -> None:
    await kubectl.ok("create", "configmap", "c", "--from-literal=k=v")
    await kubectl.ok("create", "secret", "generic", "s", "--from-literal=k=v")
    await kubectl.ok("create", "serviceaccount", "robot")
    await kubectl.ok("create", "namespace", "n")
    await kubectl.ok("create", "service", "nodeport", "p", "--tcp=80:8080", "--node-port=30080")
    assert await kubectl.ok("get", "cm", "c", "-o", "jsonpath={.data.k}") == "v"
    assert await kubectl.ok("get", "secret", "s", "-o", "jsonpath={.data.k}") == "dg=="
    assert await kubectl.ok("get", "svc", "p", "-o", "jsonpath={.spec.ports[0].nodePort}") == "30080"
    token = (await kubectl.ok("create", "token", "robot")).strip()
    assert "system:serviceaccount:default:robot" in await kubectl.ok("auth", "whoami", f"--token={token}")
    assert await kubectl.ok("auth", "can-i", "create", "pods") == "yes\n"


async def test_kubectl_finds_its_way_around(kubectl) -> None:
    listed = await kubectl.ok("api-resources", "--no-headers")
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", listed, re.M)
    assert "apps/v1" in await kubectl.ok("api-versions")
    explained = await kubectl.ok("explain", "service.spec.ports.targetPort")
    assert "FIELD: targetPort <IntOrString>" in explained
    assert "readinessProbe\t<Probe>" in await kubectl.ok("explain", "pod.spec.containers", "--recursive")
    assert await kubectl.ok("get", "--raw", "/readyz") == "ok"
    assert "v1.36.2" in await kubectl.ok("version")
    assert "the server doesn't have a resource type" in await kubectl.fails("get", "sevrices")


async def test_waiting_and_watching(kubectl, api) -> None:
    await kubectl.ok("run", "p", "--image=nginx", "--labels=app=p")
    path = "/api/v1/namespaces/default/pods/p"
    condition = {"type": "Ready", "status": "True"}
    await api.patch(f"{path}/status", {"status": {"phase": "Running", "conditions": [condition]}})
    assert await kubectl.ok("wait", "pod/p", "--for=condition=Ready", "--timeout=5s") == "pod/p condition met\n"
    assert await kubectl.ok("delete", "pod", "p") == 'pod "p" deleted\n'
    never = "--for=jsonpath={.spec.type}=NodePort"
    assert "timed out" in await kubectl.fails("wait", "svc/kubernetes", never, "--timeout=1s")


async def test_events(kubectl, api) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Started", "message": "it runs", "type": "Normal",
        "firstTimestamp": "2026-05-28T20:26:00Z", "lastTimestamp": "2026-05-28T20:26:30Z",
    }  # fmt: skip
    await api.post("/api/v1/namespaces/default/events", event)
    assert re.search(r"Normal +Started +pod/p +it runs", await kubectl.ok("get", "events"))
    assert re.search(r"Normal +Started +Pod/p +it runs", await kubectl.ok("events"))


async def test_a_bad_token(kubectl) -> None:
    assert "You must be logged in to the server" in await kubectl.fails("get", "pods", "--token=nope")
