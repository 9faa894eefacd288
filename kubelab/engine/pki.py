"""The cluster's private certificate authority and what it has signed.

Made once and kept in the state directory. Names and roles follow kubeadm
(https://kubernetes.io/docs/setup/best-practices/certificates/).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from kubelab.engine.authority import CLIENT, SERVER, Authority, readable_key, write_key
from kubelab.engine.config import CLUSTER_DOMAIN, KUBERNETES_SERVICE_IP, NodeSpec
from kubelab.engine.state import StateDir


class PKI:
    """Keys, certificates and ready TLS contexts of one cluster, made or renewed when constructed."""

    def __init__(self, state: StateDir, nodes: Sequence[NodeSpec], *, now: datetime | None = None) -> None:
        self._state = state
        self._now = now or datetime.now(UTC)
        directory = state.pki
        self.ca_cert, self.ca_key = directory / "ca.crt", directory / "ca.key"
        self.apiserver_cert, self.apiserver_key = directory / "apiserver.crt", directory / "apiserver.key"
        self.kubelet_cert, self.kubelet_key = directory / "kubelet.crt", directory / "kubelet.key"
        self.kubelet_client_cert = directory / "apiserver-kubelet-client.crt"
        self.kubelet_client_key = directory / "apiserver-kubelet-client.key"
        self.service_account_key = directory / "sa.key"
        """PEM, private; service account tokens are signed with it (ES256)."""

        self._authority = Authority(state, self.ca_cert, self.ca_key, "kubelab CA", self._now)
        self._own = [part for node in nodes if node.control_plane for part in (node.name, node.ip)]
        self.serve_at()
        self._authority.issue(
            self.kubelet_cert,
            self.kubelet_key,
            "system:nodes",
            hosts=("localhost", "127.0.0.1", *(part for node in nodes for part in (node.name, node.ip))),
            usage=[SERVER],
        )
        self._authority.issue(
            self.kubelet_client_cert, self.kubelet_client_key, "kube-apiserver-kubelet-client", usage=[CLIENT]
        )
        if not readable_key(self.service_account_key):
            write_key(state, self.service_account_key, ec.generate_private_key(ec.SECP256R1()))

    def serve_at(self, *more: str) -> None:
        """See that the API server's certificate holds for its usual names and addresses, and for these."""
        hosts = (*_API_SERVER_NAMES, *self._own, *more)
        self._authority.issue(self.apiserver_cert, self.apiserver_key, "kube-apiserver", hosts=hosts, usage=[SERVER])

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate, for a kubeconfig and for ``ca.crt`` in pods."""
        return self.ca_cert.read_bytes()

    def apiserver_tls(self) -> ssl.SSLContext:
        """For the API server's listening side; a client may show a certificate of this authority instead of a token."""
        context = _server_tls(self.apiserver_cert, self.apiserver_key)
        context.load_verify_locations(self.ca_cert)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def kubelet_tls(self) -> ssl.SSLContext:
        """For a node agent's listening side, which reads from a client's certificate who it is."""
        context = _server_tls(self.kubelet_cert, self.kubelet_key)
        context.load_verify_locations(self.ca_cert)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def kubelet_client_tls(self) -> ssl.SSLContext:
        """For the API server when it calls a node agent."""
        context = self.client_tls()
        context.load_cert_chain(self.kubelet_client_cert, self.kubelet_client_key)
        return context

    def client_tls(self) -> ssl.SSLContext:
        """For a client of the API server: trusts this authority only."""
        return ssl.create_default_context(cafile=str(self.ca_cert))

    def user(self, name: str, groups: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key by which a server that asks for client certificates knows this user."""
        stem = "user-" + re.sub(r"[^\w.-]", "-", name)
        cert, key = self._state.pki / f"{stem}.crt", self._state.pki / f"{stem}.key"
        self._authority.issue(cert, key, name, groups=groups, usage=[CLIENT])
        return cert, key

    def server(self, name: str, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key of another server of the control plane."""
        cert, key = self._state.pki / f"{name}.crt", self._state.pki / f"{name}.key"
        self._authority.issue(cert, key, name, hosts=hosts, usage=[SERVER])
        return cert, key

    def another_authority(self, name: str) -> Authority:
        """One whose certificates this cluster's authority knows nothing of, nor it theirs."""
        return Authority(self._state, self._state.pki / f"{name}.crt", self._state.pki / f"{name}.key", name, self._now)


_API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    "127.0.0.1",
    KUBERNETES_SERVICE_IP,
)


def _server_tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
