"""The API of a kind cluster by its kubeconfig: a client certificate, written by kind."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import yaml

from kubelab.clusters.base import ClusterError
from kubelab.engine.client import ApiError, Client, HttpsTransport
from kubelab.engine.state import StateDir

Answer = TypeVar("Answer")
AUTHORITY, CERTIFICATE = "kind-ca.crt", "kind-admin.pem"


class Access:
    """Asks the API from synchronous code, also below a notebook whose event loop runs."""

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def ask(self, question: Callable[[Client], Awaitable[Answer]], *, timeout_seconds: float, doing: str) -> Answer:
        """What ``question`` finds out. Raises `ClusterError`: ``{doing} failed: …``."""
        answers: list[Answer] = []
        failures: list[BaseException] = []

        async def asked() -> None:
            client = Client(self._transport())
            try:
                async with asyncio.timeout(timeout_seconds):
                    answers.append(await question(client))
            finally:
                await client.close()

        def in_a_loop_of_its_own() -> None:
            try:
                asyncio.run(asked())
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=in_a_loop_of_its_own, name="kubelab-kind", daemon=True)
        thread.start()
        thread.join()
        if failures:
            raise _as_cluster_error(failures[0], doing, timeout_seconds)
        return answers[0]

    def credentials(self) -> tuple[str, bytes]:
        """The API's address on this machine, and its authority's certificate. Raises OSError, KeyError."""
        cluster = self._kubeconfig()["clusters"][0]["cluster"]
        return cluster["server"], base64.b64decode(cluster["certificate-authority-data"])

    def _transport(self) -> HttpsTransport:
        user = self._kubeconfig()["users"][0]["user"]
        server, authority = self.credentials()
        pair = [base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")]
        ca_file, certificate = self._state.pki / AUTHORITY, self._state.pki / CERTIFICATE
        self._state.write(ca_file, authority)
        self._state.write(certificate, b"\n".join(pair))
        return HttpsTransport(server, ca_file=str(ca_file), certificate=str(certificate), user_agent="kubelab-kind")

    def _kubeconfig(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self._state.kubeconfig.read_text())
        return found


def _as_cluster_error(failure: BaseException, doing: str, seconds: float) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if isinstance(failure, TimeoutError):
        return ClusterError(f"{doing} failed: it took longer than {seconds:g} s; `kubelab status` says how it is.")
    if isinstance(failure, ApiError | OSError | KeyError):
        said = str(failure).rstrip(".")
        return ClusterError(f"{doing} failed: {said}; `kubelab status` says how the cluster is.")
    return failure
