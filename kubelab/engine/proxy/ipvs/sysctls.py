"""What mode ``ipvs`` sets in the kernel when it starts."""

from __future__ import annotations

from kubelab.engine.proxy.config import ProxyConfig

_ALWAYS = (
    "net.ipv4.vs.conntrack=1",
    "net.ipv4.vs.expire_nodest_conn=1",
    "net.ipv4.vs.expire_quiescent_template=1",
    "net.ipv4.ip_forward=1",
)
_STRICT_ARP = ("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
"""A node then does not answer on its own network for virtual addresses."""


def sysctls(config: ProxyConfig) -> tuple[str, ...]:
    """``name=value``. (kube-proxy also sets vs.conn_reuse_mode, but only on kernels below 5.9.)"""
    return (*_ALWAYS, *(_STRICT_ARP if config.ipvs_strict_arp else ()))
