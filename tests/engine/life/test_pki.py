from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from kubelab.engine import config
from kubelab.engine.pki import PKI
from kubelab.engine.state import StateDir


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "demo")
    state.create()
    return state


def contents(state: StateDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state.pki.iterdir()}


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """One byte from server to client, so that a refused client certificate is noticed (TLS 1.3 says so late)."""
    ours, theirs = socket.socketpair()
    errors: list[Exception] = []

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as tls:
                tls.sendall(b"!")
        except OSError as error:
            errors.append(error)
        finally:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as tls:
            assert tls.recv(1) == b"!"
    finally:
        ours.close()
        thread.join()


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "10.96.0.1",
        "172.18.0.2",
        "kubelab-control-plane",
    ],
)
def test_the_api_server_answers_to_all_its_names(state, name):
    pki = PKI(state, config.nodes())
    shake_hands(pki.apiserver_tls(), pki.client_tls(), name)


def test_the_api_server_does_not_answer_to_others_names(state):
    pki = PKI(state, config.nodes())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(pki.apiserver_tls(), pki.client_tls(), "kubelab-worker")


def test_a_node_agent_reads_certificates_of_its_own_cluster_only(state, tmp_path):
    other = StateDir(tmp_path / "other")
    other.create()
    pki = PKI(state, config.nodes())
    shake_hands(pki.kubelet_tls(), pki.kubelet_client_tls(), "localhost")
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        shake_hands(pki.kubelet_tls(), PKI(other, config.nodes()).kubelet_client_tls(), "localhost")


def test_another_clusters_authority_is_not_trusted(state, tmp_path):
    other = StateDir(tmp_path / "other")
    other.create()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(PKI(state, config.nodes()).apiserver_tls(), PKI(other, config.nodes()).client_tls(), "localhost")


def test_strict_clients_are_content(state):
    pki = PKI(state, config.nodes())
    strict = pki.client_tls()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    shake_hands(pki.apiserver_tls(), strict, "localhost")


def test_all_is_kept_from_one_start_to_the_next(state):
    PKI(state, config.nodes())
    before = contents(state)
    PKI(state, config.nodes())
    assert contents(state) == before
    assert all((state.pki / name).stat().st_mode & 0o77 == 0 for name in before)


def test_certificates_are_renewed_in_the_last_third_of_their_life_and_the_rest_stays(state):
    PKI(state, config.nodes())
    before = contents(state)
    later = datetime.now(UTC) + timedelta(days=300)
    PKI(state, config.nodes(), now=later)
    after = contents(state)
    kept = {name for name in before if before[name] == after[name]}
    assert kept == {"ca.crt", "ca.key", "sa.key"}
    assert x509.load_pem_x509_certificate(after["apiserver.crt"]).not_valid_after_utc > later


def test_a_new_authority_signs_everything_anew_but_service_account_tokens_stay_good(state):
    PKI(state, config.nodes())
    before = contents(state)
    pki = PKI(state, config.nodes(), now=datetime.now(UTC) + timedelta(days=9 * 365))
    after = contents(state)
    assert {name for name in before if before[name] == after[name]} == {"sa.key"}
    assert pki.ca_pem == after["ca.crt"]


def test_a_damaged_or_lost_file_is_made_anew(state):
    PKI(state, config.nodes())
    state.write(state.pki / "apiserver.crt", "not a certificate")
    (state.pki / "kubelet.key").unlink()
    pki = PKI(state, config.nodes())
    shake_hands(pki.apiserver_tls(), pki.client_tls(), "localhost")
    shake_hands(pki.kubelet_tls(), pki.kubelet_client_tls(), "kubelab-worker")


def test_other_nodes_need_other_names(state):
    PKI(state, config.nodes())
    pki = PKI(state, config.nodes("shop"))
    shake_hands(pki.apiserver_tls(), pki.client_tls(), "shop-control-plane")


def test_a_first_start_costs_no_noticeable_time(state):
    begin = time.thread_time()
    PKI(state, config.nodes())
    assert time.thread_time() - begin < 0.05


async def test_the_contexts_work_in_asyncio(state):
    pki = PKI(state, config.nodes())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=pki.apiserver_tls())
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=pki.client_tls())
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    server.close()
