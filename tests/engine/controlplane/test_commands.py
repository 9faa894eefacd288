"""The command lines, pinned. What upstream's references list is in `standins.common`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from kubelab.engine.controlplane.upstream import commands
from kubelab.engine.controlplane.upstream.commands import Facts, Pair

COMMON = Path(__file__).parent / "standins" / "common.py"


def known() -> dict[str, list[str]]:
    spec = importlib.util.spec_from_file_location("standins_common", COMMON)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FLAGS


def pair(name: str) -> Pair:
    return Pair(Path(f"/pki/{name}.crt"), Path(f"/pki/{name}.key"))


FACTS = Facts(
    cluster="demo",
    address="127.150.7.9",
    etcd_data=Path("/state/etcd"),
    etcd_authority=Path("/pki/etcd-ca.crt"),
    etcd_server=pair("etcd-server"),
    etcd_client=pair("apiserver-etcd-client"),
    authority=pair("ca"),
    apiserver=pair("apiserver"),
    components=pair("control-plane"),
    kubelet_client=pair("apiserver-kubelet-client"),
    service_accounts=Path("/pki/sa.key"),
    tokens=Path("/pki/tokens.csv"),
    egress=Path("/pki/egress.json"),
    controllers_kubeconfig=Path("/pki/controller-manager.kubeconfig"),
    scheduler_kubeconfig=Path("/pki/scheduler.kubeconfig"),
)

ETCD = """
--name=kubelab
--data-dir=/state/etcd
--listen-client-urls=https://127.150.7.9:2379
--advertise-client-urls=https://127.150.7.9:2379
--listen-peer-urls=https://127.150.7.9:2380
--initial-advertise-peer-urls=https://127.150.7.9:2380
--initial-cluster=kubelab=https://127.150.7.9:2380
--client-cert-auth=true
--trusted-ca-file=/pki/etcd-ca.crt
--cert-file=/pki/etcd-server.crt
--key-file=/pki/etcd-server.key
--peer-client-cert-auth=true
--peer-trusted-ca-file=/pki/etcd-ca.crt
--peer-cert-file=/pki/etcd-server.crt
--peer-key-file=/pki/etcd-server.key
--log-level=warn
"""

KUBE_APISERVER = """
--bind-address=127.150.7.9
--secure-port=6443
--advertise-address=172.18.0.2
--etcd-servers=https://127.150.7.9:2379
--etcd-cafile=/pki/etcd-ca.crt
--etcd-certfile=/pki/apiserver-etcd-client.crt
--etcd-keyfile=/pki/apiserver-etcd-client.key
--service-cluster-ip-range=10.96.0.0/16
--service-node-port-range=30000-32767
--service-account-issuer=https://kubernetes.default.svc.cluster.local
--service-account-key-file=/pki/sa.key
--service-account-signing-key-file=/pki/sa.key
--client-ca-file=/pki/ca.crt
--token-auth-file=/pki/tokens.csv
--tls-cert-file=/pki/apiserver.crt
--tls-private-key-file=/pki/apiserver.key
--authorization-mode=Node,RBAC
--enable-admission-plugins=NodeRestriction
--allow-privileged=true
--kubelet-certificate-authority=/pki/ca.crt
--kubelet-client-certificate=/pki/apiserver-kubelet-client.crt
--kubelet-client-key=/pki/apiserver-kubelet-client.key
--kubelet-preferred-address-types=ExternalDNS,InternalIP,Hostname
--egress-selector-config-file=/pki/egress.json
"""

KUBE_SCHEDULER = """
--bind-address=127.150.7.9
--secure-port={port}
--tls-cert-file=/pki/control-plane.crt
--tls-private-key-file=/pki/control-plane.key
--client-ca-file=/pki/ca.crt
--kubeconfig=/pki/{name}.kubeconfig
--authentication-kubeconfig=/pki/{name}.kubeconfig
--authorization-kubeconfig=/pki/{name}.kubeconfig
--leader-elect=false
"""

KUBE_CONTROLLER_MANAGER = (
    KUBE_SCHEDULER.format(port=10257, name="controller-manager").rstrip()
    + """
--cluster-name=demo
--controllers=*
--allocate-node-cidrs=false
--root-ca-file=/pki/ca.crt
--cluster-signing-cert-file=/pki/ca.crt
--cluster-signing-key-file=/pki/ca.key
--service-account-private-key-file=/pki/sa.key
--use-service-account-credentials=true
"""
)

LINES = {
    "etcd": (commands.etcd, ETCD),
    "kube-apiserver": (commands.kube_apiserver, KUBE_APISERVER),
    "kube-controller-manager": (commands.kube_controller_manager, KUBE_CONTROLLER_MANAGER),
    "kube-scheduler": (commands.kube_scheduler, KUBE_SCHEDULER.format(port=10259, name="scheduler")),
}


@pytest.mark.parametrize("program", LINES)
def test_a_program_is_told_this(program):
    build, wanted = LINES[program]
    assert build(FACTS) == wanted.split()


@pytest.mark.parametrize("program", LINES)
def test_the_stand_in_knows_every_flag_that_its_program_is_given_and_no_other(program):
    given = {each.removeprefix("--").partition("=")[0] for each in LINES[program][0](FACTS)}
    assert given == set(known()[program])


def test_all_that_kube_apiserver_opens_towards_the_cluster_goes_through_one_unix_socket():
    (selection,) = commands.egress_selector(Path("/state/egress.sock"))["egressSelections"]
    assert selection == {
        "name": "cluster",
        "connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": "/state/egress.sock"}}},
    }
