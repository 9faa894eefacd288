"""Whether what is answered is what the objects ask for: a changed Ingress is served a moment after it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.requests.replies import Reply
from kubelab.lab.waiting import Seen
from kubelab.routing.decide import Decision, Share

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

NOBODY = "nobody.invalid"
"""A host that no rule names (RFC 2606)."""
_OF_A_PROXY = (404, 500, 502, 503, 504)


def agrees(decision: Decision, reply: Reply, namespace: str) -> bool:
    """Whether the answer is one that the decision allows. A program that does not say who it is, is taken for right."""
    if decision.location:
        return reply.code == decision.status and reply.location == decision.location
    return any(_is(share, reply, namespace) for share in decision.shares)


def _is(share: Share, reply: Reply, namespace: str) -> bool:
    if share.status is not None:
        return reply.code == share.status and not reply.pod
    if reply.pod:
        return share.words(namespace) in reply.services
    return reply.code is not None and reply.code not in _OF_A_PROXY


def answers(lab: Lab, ingress: Object) -> Seen:
    """Whether an Ingress has an address and each of its paths is answered as the objects ask for, by plain HTTP."""
    name = ingress["metadata"]["name"]
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    if not balancer.get("ingress"):
        return Seen(False, "it has no address: no controller has taken it up")
    urls = list(dict.fromkeys(_urls(ingress)))
    table = lab.routing()
    try:
        replies = lab.requests(*urls, via=f"ingress/{name}", timeout=1)
    except LabError as error:
        return Seen(False, str(error).rstrip("."))
    for url, reply in zip(urls, replies, strict=True):
        decision = lab.decide(url, at=table)
        if not agrees(decision, reply, lab.namespace):
            return Seen(False, f"{url} is answered by {reply.words}, not by {decision.words(lab.namespace)}")
    return Seen(True, "every path is answered")


def _urls(ingress: Object) -> Iterator[str]:
    spec = ingress["spec"]
    for rule in spec.get("rules") or ():
        host = (rule.get("host") or NOBODY).replace("*", "any")
        for path in (rule.get("http") or {}).get("paths") or ():
            yield f"http://{host}{path.get('path') or '/'}"
    if spec.get("defaultBackend") and not spec.get("rules"):
        yield f"http://{NOBODY}/"
