"""Which control plane a cluster has, where it listens, and who asks it."""

from __future__ import annotations

import csv
import socket

import pytest

from kubelab.engine import config
from kubelab.engine.controlplane import ControlPlaneError, control_plane
from kubelab.engine.controlplane.builtin import BuiltIn
from kubelab.engine.controlplane.upstream import Upstream, addresses, identities
from kubelab.engine.options import Options
from kubelab.engine.pki import PKI


@pytest.fixture
def chosen(tmp_path):
    """Choose for one state directory."""
    state = Options("demo", tmp_path / "demo").state
    state.create()
    pki = PKI(state, config.nodes("demo"))

    def choose(kind):
        return control_plane(Options("demo", state.root, control_plane=kind), pki, "token", dial=None)

    choose.state, choose.pki = state, pki
    return choose


def test_ours_unless_told_otherwise(chosen):
    assert isinstance(chosen(None), BuiltIn)


def test_what_was_chosen_first_stays(chosen):
    chosen.state.etcd.mkdir()
    assert isinstance(chosen(None), Upstream)


def test_another_one_would_begin_without_the_cluster_s_objects_and_is_refused(chosen):
    chosen.state.etcd.mkdir()
    with pytest.raises(ControlPlaneError, match=r"in the upstream control plane: `kubelab down`"):
        chosen("built-in")


def test_one_that_could_not_start_binds_to_nothing(chosen):
    chosen("upstream")
    assert isinstance(chosen("built-in"), BuiltIn)


def test_objects_in_our_store_keep_to_it(chosen):
    chosen.state.store.touch()
    with pytest.raises(ControlPlaneError, match="in the built-in control plane"):
        chosen("upstream")


def test_a_cluster_s_address_is_its_own_and_stays(tmp_path):
    one, two = (addresses.choose(tmp_path / name, [6443]) for name in ("one", "two"))
    assert one != two
    assert one == addresses.choose(tmp_path / "one", [6443])


def test_an_address_whose_port_is_taken_is_left_alone(tmp_path):
    first = addresses.choose(tmp_path, [6443])
    with socket.create_server((first, 6443)):
        assert addresses.choose(tmp_path, [6443]) != first


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ("kubernetes-admin", ("system:masters",)),
        ("system:node:demo-worker", ("system:nodes",)),
        ("system:kube-proxy", ()),
        ("system:kube-scheduler", ()),
    ],
)
def test_a_user_has_upstream_s_groups(user, groups):
    assert identities.groups_of(user) == groups


def test_the_owner_s_token_is_a_line_of_a_token_file():
    (line,) = csv.reader([identities.tokens("s3cret").strip()])
    assert line == ["s3cret", "kubernetes-admin", "kubernetes-admin", "system:masters"]


def test_a_certificate_says_who_somebody_is(chosen):
    from cryptography import x509

    cert, key = chosen.pki.user("system:node:demo-worker", ["system:nodes"])
    subject = x509.load_pem_x509_certificate(cert.read_bytes()).subject.rfc4514_string()
    assert subject == "CN=system:node:demo-worker,O=system:nodes"
    assert key.stat().st_mode & 0o777 == 0o600


def test_etcd_s_authority_vouches_for_nobody_in_the_cluster(chosen):
    other = chosen.pki.another_authority("etcd-ca")
    assert other.cert.read_bytes() != chosen.pki.ca_pem
