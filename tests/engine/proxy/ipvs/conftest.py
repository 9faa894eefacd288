"""One Service, ``testing/service`` with the port ``http``, and its endpoints, compiled for IPVS."""

from __future__ import annotations

from typing import Any

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.ipvs import Plan, compile_plan


@pytest.fixture
def one(make):
    """The plan of one Service: ``one(elsewhere, here, **what make.service takes)``; 10.180.0.2 is on this node."""

    def build(elsewhere: bool = True, here: bool = True, *, config: dict[str, Any] | None = None, **spec: Any) -> Plan:
        named = {"namespace": "testing", "port_name": "http"}
        protocol = {"protocol": spec.get("protocol", "TCP")}
        endpoints = [make.endpoint("10.180.0.1")] * elsewhere + [make.endpoint("10.180.0.2", node=make.node)] * here
        slices = [make.slice("service", *endpoints, **named, **protocol)]
        settings = ProxyConfig(**{"cluster_cidr": "10.244.0.0/16", **(config or {})})
        return compile_plan(make.state([make.service("service", "10.96.0.1", **named, **spec)], slices), settings)

    return build


@pytest.fixture
def by_chain():
    """Table and chain → rules, without ``-A CHAIN``."""

    def rules(plan: Plan) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for script in (plan.nat, plan.filter):
            for rule in script.rules:
                _, chain, rest = rule.split(" ", 2)
                found.setdefault(f"{script.table} {chain}", []).append(rest)
        return found

    return rules
