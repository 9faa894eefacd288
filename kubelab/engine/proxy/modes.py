"""Which modes kube-proxy has, and what runs each."""

from __future__ import annotations

from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.backend import Factory
from kubelab.engine.proxy.iptables_backend import IptablesBackend
from kubelab.engine.proxy.ipvs.backend import IpvsBackend
from kubelab.engine.proxy.nftables.backend import NftablesBackend

BACKENDS: dict[ProxyMode, Factory] = {
    "iptables": IptablesBackend,
    "nftables": NftablesBackend,
    "ipvs": IpvsBackend,
}
