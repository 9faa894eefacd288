"""What task 14.3 begins with: a Gateway of one team, a route, a certificate and a grant of another, two faults."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.three_faults import misspelt
from kubelab.course.lessons.lesson14_gateway_api.objects import (
    API_VERSION,
    beside,
    gateway,
    http_route,
    listener,
    rule,
)
from kubelab.course.seed import Seed
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab

PLATFORM, NEIGHBOUR = "platform", "next-door"
GATEWAY, ROUTE, GRANT, SECRET, INTRUDER = "edge", "shop", "lend-certificate", "shop-tls", "intruder"
LEDGER = "ledger"
"""A Secret that is nobody else's business."""
BY_NAMESPACE, BY_KIND, BY_NAME = "namespace", "kind", "Secret name"
SAME, SELECTOR, HOSTNAME = "same", "selector", "hostname"
NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that every namespace has (https://kubernetes.io/docs/reference/labels-annotations-taints/)."""


class Own(NamedTuple):
    """One learner's names and faults."""

    host: str
    app: str
    port: int
    grant_fault: str
    listener_fault: str

    def grant(self, lab: Lab, fault: str = "") -> Object:
        """The ReferenceGrant of the shop's namespace, with a fault or without."""
        giver = beside(lab, NEIGHBOUR if fault == BY_NAMESPACE else PLATFORM).namespace
        given = {"group": API_VERSION.split("/")[0], "kind": "HTTPRoute" if fault == BY_KIND else "Gateway"}
        lent = misspelt(SECRET) if fault == BY_NAME else SECRET
        return {
            "apiVersion": API_VERSION,
            "kind": "ReferenceGrant",
            "metadata": {"name": GRANT},
            "spec": {
                "from": [{**given, "namespace": giver}],
                "to": [{"group": "", "kind": "Secret", "name": lent}],
            },
        }

    def gateway(self, lab: Lab, fault: str = "") -> Object:
        """The Gateway of the platform's namespace, with a fault or without."""
        name = misspelt(lab.namespace) if fault == SELECTOR else lab.namespace
        chosen: dict[str, Any] = {"from": "Selector", "selector": {"matchLabels": {NAME_LABEL: name}}}
        allowed = {"from": "Same"} if fault == SAME else chosen
        return gateway(
            GATEWAY,
            listener(
                "https",
                hostname=f"*.{misspelt(self.domain) if fault == HOSTNAME else self.domain}",
                secret={"name": SECRET, "namespace": lab.namespace},
                allowedRoutes={"namespaces": allowed},
            ),
        )

    def route(self, lab: Lab, name: str = ROUTE) -> Object:
        """The shop's route, and that of the team next door."""
        parent = {"name": GATEWAY, "namespace": beside(lab, PLATFORM).namespace}
        return http_route(name, parent, [self.host], rule({self.app: 1}, self.port, path="/"))

    @property
    def told(self) -> str:
        """What is wrong, as comments."""
        said = {
            BY_NAMESPACE: "the grant was given to the namespace next door",
            BY_KIND: "the grant was given to HTTPRoutes",
            BY_NAME: f"the grant was for a Secret {misspelt(SECRET)}",
            SAME: "the listener let in routes of its own namespace only",
            SELECTOR: "the listener's selector misspelt the namespace",
            HOSTNAME: "the listener's hostname was misspelt",
        }
        return f"# {said[self.grant_fault]}\n# {said[self.listener_fault]}"

    @property
    def domain(self) -> str:
        """The host without its first label."""
        return self.host.partition(".")[2]


def own(seed: Seed) -> Own:
    """The names and the faults that the seed gives."""
    return Own(
        host=f"www.{seed.name('14.3/host')}.test",
        app=seed.choice("14.3/app", ("books", "music", "games")),
        port=seed.number("14.3/port", 8000, 8999),
        grant_fault=seed.choice("14.3/grant", (BY_NAMESPACE, BY_KIND, BY_NAME)),
        listener_fault=seed.choice("14.3/listener", (SAME, SELECTOR, HOSTNAME)),
    )
