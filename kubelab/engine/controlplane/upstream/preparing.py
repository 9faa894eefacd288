"""What has to be in the state directory before the programs start: certificates, kubeconfigs, settings."""

from __future__ import annotations

import json
from pathlib import Path

from kubelab.engine.authority import CLIENT, SERVER
from kubelab.engine.controlplane.upstream import identities
from kubelab.engine.controlplane.upstream.commands import API, Facts, Pair, egress_selector
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir


def prepare(state: StateDir, cluster: str, pki: PKI, token: str, address: str, egress_socket: Path) -> Facts:
    """Write it all, and say where it is. Raises `StateError`."""
    for directory in (state.etcd, state.component_logs):
        state.make_private(directory)
    etcd_authority = pki.another_authority("etcd-ca")
    etcd_server, etcd_client = _pair(state, "etcd-server"), _pair(state, "apiserver-etcd-client")
    # One member is server and client of itself: its peers' certificate has to be good for both.
    etcd_authority.issue(*etcd_server, "etcd", usage=[SERVER, CLIENT], hosts=("localhost", address))
    etcd_authority.issue(*etcd_client, "kube-apiserver", usage=[CLIENT])
    facts = Facts(
        cluster=cluster,
        address=address,
        etcd_data=state.etcd,
        etcd_authority=etcd_authority.cert,
        etcd_server=etcd_server,
        etcd_client=etcd_client,
        authority=Pair(pki.ca_cert, pki.ca_key),
        apiserver=Pair(pki.apiserver_cert, pki.apiserver_key),
        components=Pair(*pki.server("control-plane", ("localhost", address))),
        kubelet_client=Pair(pki.kubelet_client_cert, pki.kubelet_client_key),
        service_accounts=pki.service_account_key,
        tokens=state.pki / "tokens.csv",
        egress=state.pki / "egress.json",
        controllers_kubeconfig=state.pki / "controller-manager.kubeconfig",
        scheduler_kubeconfig=state.pki / "scheduler.kubeconfig",
    )
    state.write(facts.tokens, identities.tokens(token))
    state.write(facts.egress, json.dumps(egress_selector(egress_socket)))
    for path, user in (
        (facts.controllers_kubeconfig, "system:kube-controller-manager"),
        (facts.scheduler_kubeconfig, "system:kube-scheduler"),
    ):
        state.write(path, json.dumps(identities.kubeconfig(pki, facts.url(API), user)))
    return facts


def _pair(state: StateDir, name: str) -> Pair:
    return Pair(state.pki / f"{name}.crt", state.pki / f"{name}.key")
