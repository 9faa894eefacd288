"""The rules that a proxy would load, as text, for people to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kubelab.engine.proxy.addresses import canonical_cidr
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import compile_rules
from kubelab.engine.proxy.ipvs import compile_plan, plan_text
from kubelab.engine.proxy.nftables import compile_table, first_sync
from kubelab.engine.proxy.state import ProxyState

Object = dict[str, Any]


class _Given(NamedTuple):
    ipv4: ProxyState
    ipv6: ProxyState
    config: ProxyConfig
    service_cidrs: tuple[str, ...]


def rules_text(
    mode: str,
    node_name: str,
    objects: Mapping[str, Sequence[Object]],
    cluster_cidr: str | None = None,
    *,
    nfacct: bool = True,
) -> str:
    """What a plain kube-proxy's first sync feeds to the kernel of a node.

    ``objects`` holds lists of API objects under ``services``, ``endpointslices``, ``nodes`` and ``servicecidrs`` (which
    only nftables looks at). ``cluster_cidr`` is the pods' range, or one a family with a comma. ``nfacct``: whether the
    kernel has nfacct, as most do; kube-proxy counts two kinds of packets by it in mode iptables.

    ``iptables``: the input of ``iptables-restore``. ``nftables``: that of ``nft -f -``, for both families. ``ipvs``:
    sections, each under a comment that names the command which takes it. Where a Service has an IPv6 address, the
    IPv6 rules of iptables and ipvs follow below those of IPv4. Raises ValueError for an unknown mode, and for a range
    that is none.
    """
    if mode not in MODES:
        raise ValueError(f"{mode!r} is not a mode; there are {', '.join(MODES)}")
    own = (node for node in objects.get("nodes") or () if node["metadata"]["name"] == node_name)
    node = NodeView.of(node_name, next(own, None))
    services, slices = objects.get("services") or (), objects.get("endpointslices") or ()
    service_cidrs = (each.get("spec") or {} for each in objects.get("servicecidrs") or ())
    given = _Given(
        ProxyState.of(node, services, slices, family=4),
        ProxyState.of(node, services, slices, family=6),
        ProxyConfig(cluster_cidr=",".join(_ranges(cluster_cidr.split(",") if cluster_cidr else ())), nfacct=nfacct),
        _ranges(cidr for spec in service_cidrs for cidr in spec.get("cidrs") or ()),
    )
    return MODES[mode](given)


def _ranges(texts: Iterable[str]) -> tuple[str, ...]:
    for each in (texts := tuple(texts)):
        if canonical_cidr(each) is None:
            raise ValueError(f"{each!r} is not a range of addresses, such as 10.244.0.0/16")
    return texts


def _iptables(given: _Given) -> str:
    text = compile_rules(given.ipv4, given.config).text()
    if given.ipv6.services:
        text += f"# ip6tables-restore\n{compile_rules(given.ipv6, given.config).text()}"
    return text


def _nftables(given: _Given) -> str:
    tables = (compile_table(state, given.config, given.service_cidrs) for state in (given.ipv4, given.ipv6))
    return "".join(first_sync(table).text for table in tables)


def _ipvs(given: _Given) -> str:
    states = (given.ipv4, given.ipv6) if given.ipv6.services else (given.ipv4,)
    return "".join(plan_text(compile_plan(state, given.config)) for state in states)


MODES: dict[str, Callable[[_Given], str]] = {"iptables": _iptables, "nftables": _nftables, "ipvs": _ipvs}
"""kube-proxy's modes on Linux, and what writes each."""
