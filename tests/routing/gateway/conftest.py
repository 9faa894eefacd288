"""Gateway API objects to make tables from, in few words."""

from types import SimpleNamespace

import pytest

from kubelab.routing.decide import decide
from kubelab.routing.gateway import CONTROLLER, gateways
from kubelab.routing.gateway.listeners import Verdict
from kubelab.routing.model import Forward, Redirect, Respond
from kubelab.routing.objects import Objects
from kubelab.routing.request import Request


def metadata(name, namespace="", second=0, **more):
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "creationTimestamp": f"2026-11-23T12:00:{second:02}Z", **more}


def gateway_class(name="kubelab", controller=CONTROLLER, **more):
    return {"metadata": metadata(name), "spec": {"controllerName": controller, **more}}


def listener(name="web", port=80, protocol="HTTP", **more):
    return {"name": name, "port": port, "protocol": protocol, **more}


def gateway(*listeners, name="edge", namespace="infra", cls="kubelab"):
    spec = {"gatewayClassName": cls, "listeners": list(listeners) or [listener()]}
    return {"metadata": metadata(name, namespace), "spec": spec}


def http_route(name="shop", *rules, namespace="infra", second=0, hosts=(), parents=({"name": "edge"},)):
    spec = {"parentRefs": list(parents), "hostnames": list(hosts), "rules": list(rules) or [rule("web")]}
    return {"metadata": metadata(name, namespace, second), "spec": spec}


def rule(*backends, path=None, kind="PathPrefix", **more):
    """``backends``: Services' names, or backendRefs."""
    refs = [{"name": each, "port": 80} if isinstance(each, str) else each for each in backends]
    match = {"path": {"type": kind, "value": path}} if path else {}
    matching = {name: more.pop(name) for name in ("method", "headers", "queryParams") if name in more}
    return {"matches": [{**match, **matching}], "backendRefs": refs, **more}


def service(name, namespace="infra", **port):
    ports = [{"name": "http", "port": 80, "protocol": "TCP", **port}]
    return {"metadata": metadata(name, namespace), "spec": {"type": "ClusterIP", "ports": ports}}


def secret(name, namespace="infra", kind="kubernetes.io/tls", keys=("tls.crt", "tls.key")):
    return {"metadata": metadata(name, namespace), "type": kind, "data": dict.fromkeys(keys, "")}


def grant(namespace, kind, from_namespace, to_kind, name=""):
    source = {"group": "gateway.networking.k8s.io", "kind": kind, "namespace": from_namespace}
    target = {"group": "", "kind": to_kind, **({"name": name} if name else {})}
    return {"metadata": metadata("grant", namespace), "spec": {"from": [source], "to": [target]}}


def namespace(name, **labels):
    return {"metadata": metadata(name, labels=labels)}


def build(gateways_, routes=(), services=None, usable=lambda secret: Verdict(), **more):
    """The result for these objects; without ``services`` there are ``web``, ``new`` and ``api``, in ``infra``."""
    known = [service(name) for name in ("web", "new", "api")] if services is None else services
    classes = more.pop("gateway_classes", [gateway_class()])
    objects = Objects(services=known, gateways=gateways_, http_routes=routes, gateway_classes=classes, **more)
    return gateways(objects, usable=usable)


def condition(conditions, wanted):
    """``True`` or the reason why not."""
    found = next(each for each in conditions if each.type == wanted)
    return True if found.status else found.reason


def sent(built, url, **request):
    """What the first route that matches says: a Service, Services with weights, a status, or a redirect."""
    owner = built.table.entrances[0].owner
    decision = decide(built.table, Request.of(url, owner=owner, **request))
    action = decision.route.action if decision.route else Respond(404, "")
    if isinstance(action, Forward):
        shares = {each.service.service if each.service else each.status: each.weight for each in action.backends}
        return next(iter(shares)) if len(shares) == 1 else shares
    return action if isinstance(action, Redirect) else action.status


@pytest.fixture
def make():
    """The makers of this file."""
    return SimpleNamespace(**{
        each.__name__: each
        for each in (gateway_class, listener, gateway, http_route, rule, service, secret, grant, namespace, build,
                     condition, sent)
    })  # fmt: skip
