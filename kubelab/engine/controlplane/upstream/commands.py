"""The command lines of etcd, kube-apiserver, kube-controller-manager and kube-scheduler 1.36.

Pure: facts in, arguments out. What kubeadm and kind set is set here too, but for what belongs to a cluster of several
machines; everything listens on one loopback address that the cluster has for itself, at its usual port.
https://kubernetes.io/docs/reference/command-line-tools-reference/ and https://etcd.io/docs/v3.6/op-guide/configuration/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kubelab.engine import config

ETCD, ETCD_PEERS, API, CONTROLLERS, SCHEDULER = 2379, 2380, config.API_PORT, 10257, 10259
"""The usual ports; with the API's own at 6443 the Service ``kubernetes`` is as on kind."""
PORTS = (ETCD, ETCD_PEERS, API, CONTROLLERS, SCHEDULER)
ISSUER = f"https://kubernetes.default.svc.{config.CLUSTER_DOMAIN}"


class Pair(NamedTuple):
    """A certificate and its key."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Facts:
    """What the command lines are made of."""

    cluster: str
    address: str
    """On the loopback network, this cluster's own."""
    etcd_data: Path
    etcd_authority: Path
    """Signs for etcd only: whoever the cluster's authority vouches for may not read the store for that."""
    etcd_server: Pair
    etcd_client: Pair
    authority: Pair
    apiserver: Pair
    components: Pair
    """What controller manager and scheduler serve their health with."""
    kubelet_client: Pair
    service_accounts: Path
    tokens: Path
    """Bearer tokens of people, as CSV."""
    egress: Path
    """An EgressSelectorConfiguration: how kube-apiserver reaches nodes, pods and Services."""
    controllers_kubeconfig: Path
    scheduler_kubeconfig: Path

    def url(self, port: int) -> str:
        """``https://127.150.7.9:6443``."""
        return f"https://{self.address}:{port}"


def etcd(facts: Facts) -> list[str]:
    """A single member. Whoever asks it for anything shows a certificate of its own authority."""
    return _flags(
        name="kubelab",
        data_dir=facts.etcd_data,
        listen_client_urls=facts.url(ETCD),
        advertise_client_urls=facts.url(ETCD),
        listen_peer_urls=facts.url(ETCD_PEERS),
        initial_advertise_peer_urls=facts.url(ETCD_PEERS),
        initial_cluster=f"kubelab={facts.url(ETCD_PEERS)}",
        client_cert_auth="true",
        trusted_ca_file=facts.etcd_authority,
        cert_file=facts.etcd_server.cert,
        key_file=facts.etcd_server.key,
        peer_client_cert_auth="true",
        peer_trusted_ca_file=facts.etcd_authority,
        peer_cert_file=facts.etcd_server.cert,
        peer_key_file=facts.etcd_server.key,
        log_level="warn",
    )


def kube_apiserver(facts: Facts) -> list[str]:
    """As kubeadm writes it, with the owner's token, and with a way into the cluster's network."""
    control_plane = next(node.ip for node in config.nodes(facts.cluster) if node.control_plane)
    return _flags(
        bind_address=facts.address,
        secure_port=API,
        advertise_address=control_plane,
        etcd_servers=facts.url(ETCD),
        etcd_cafile=facts.etcd_authority,
        etcd_certfile=facts.etcd_client.cert,
        etcd_keyfile=facts.etcd_client.key,
        service_cluster_ip_range=config.SERVICE_CIDR,
        service_node_port_range=f"{config.NODE_PORT_RANGE[0]}-{config.NODE_PORT_RANGE[-1]}",
        service_account_issuer=ISSUER,
        service_account_key_file=facts.service_accounts,
        service_account_signing_key_file=facts.service_accounts,
        client_ca_file=facts.authority.cert,
        token_auth_file=facts.tokens,
        tls_cert_file=facts.apiserver.cert,
        tls_private_key_file=facts.apiserver.key,
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        allow_privileged="true",
        kubelet_certificate_authority=facts.authority.cert,
        kubelet_client_certificate=facts.kubelet_client.cert,
        kubelet_client_key=facts.kubelet_client.key,
        # Our node agents listen on the machine's localhost, and say so.
        kubelet_preferred_address_types="ExternalDNS,InternalIP,Hostname",
        egress_selector_config_file=facts.egress,
    )


def kube_controller_manager(facts: Facts) -> list[str]:
    """Without node addresses to give: our nodes bring their ranges along, the same as kind's."""
    return _flags(
        **_component(facts, CONTROLLERS, facts.controllers_kubeconfig),
        cluster_name=facts.cluster,
        controllers="*",
        allocate_node_cidrs="false",
        root_ca_file=facts.authority.cert,
        cluster_signing_cert_file=facts.authority.cert,
        cluster_signing_key_file=facts.authority.key,
        service_account_private_key_file=facts.service_accounts,
        use_service_account_credentials="true",
    )


def kube_scheduler(facts: Facts) -> list[str]:
    """With the default profile."""
    return _flags(**_component(facts, SCHEDULER, facts.scheduler_kubeconfig))


def egress_selector(socket: Path) -> dict[str, object]:
    """Everything that kube-apiserver opens towards the cluster goes through a proxy on this socket."""
    connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(socket)}}}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }


def _component(facts: Facts, port: int, kubeconfig: Path) -> dict[str, object]:
    """What controller manager and scheduler are told alike. There is one of each: nobody has to be elected."""
    return {
        "bind_address": facts.address,
        "secure_port": port,
        "tls_cert_file": facts.components.cert,
        "tls_private_key_file": facts.components.key,
        "client_ca_file": facts.authority.cert,
        "kubeconfig": kubeconfig,
        "authentication_kubeconfig": kubeconfig,
        "authorization_kubeconfig": kubeconfig,
        "leader_elect": "false",
    }


def _flags(**values: object) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
