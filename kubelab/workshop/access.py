"""The cluster that a kubeconfig points to: its API, and what a learner needs to reach the same one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from kubelab.lab.api import Api, KubeconfigApi, Object
from kubelab.lab.errors import ApiError, LabError
from kubelab.workshop.errors import WorkshopError

CONCURRENT = 8
"""Requests at a time: enough to hide the network's delay, few enough for a cluster that others use too."""
BUSY_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""How long to wait when the API server says that it is busy (429), time after time."""

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Address:
    """Where the API server is, and by what it is known to be itself."""

    server: str
    authority: str = ""
    """Certificates, PEM; empty: those that the learner's machine trusts."""
    server_name: str = ""
    """The name in its certificate, where that is not the one in ``server``."""
    verified: bool = True
    context: str = ""


@dataclass(frozen=True)
class Access:
    """A cluster, by the rights of who makes the workshop."""

    api: Api
    address: Address
    concurrent: int = CONCURRENT

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """One request, again after a while when the server is busy. Raises `ApiError`, `LabError`."""
        for pause in (*BUSY_SECONDS, None):
            try:
                return self.api.request(method, path, query, body)
            except ApiError as error:
                if error.status != 429 or pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def listed(self, path: str, selector: str = "") -> list[Object]:
        """All objects of a collection with some labels, in one request."""
        return list(self.request("GET", path, {"labelSelector": selector} if selector else None).get("items") or ())

    def each(self, do: Callable[[A], B], things: Iterable[A], done: Callable[[B], None] = lambda _: None) -> list[B]:
        """Do something for each, some at a time; ``done`` hears of each result, in order. The first error ends it."""
        with ThreadPoolExecutor(self.concurrent, thread_name_prefix="kubelab-workshop") as pool:
            results = []
            try:
                for result in pool.map(do, things):
                    done(result)
                    results.append(result)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            return results


def elsewhere(access: Access, server: str) -> Address:
    """The same API server at another address: of a name inside the cluster (``.svc``) the certificate is the cluster's.

    Raises `ApiError`.
    """
    name = urlsplit(server).hostname or ""
    if not name.endswith((".svc", ".svc.cluster.local")):
        return replace(access.address, server=server)
    # every namespace has it: https://kubernetes.io/docs/concepts/security/service-accounts/
    root = access.request("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    return Address(server, root["data"]["ca.crt"], context=access.address.context)


def open_cluster(kubeconfig: Path | None = None, context: str | None = None) -> Access:
    """The cluster of a kubeconfig: the one named, else ``$KUBECONFIG``, else that of the home, as for kubectl.

    Raises `WorkshopError`.
    """
    paths = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    there = [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().is_file()]
    if not there:
        raise WorkshopError(
            f"There is no kubeconfig {paths}; name one with --kubeconfig, or set KUBECONFIG (for the cluster of "
            "`kubelab up`: `kubelab kubeconfig` prints its path)."
        )
    file = Path(os.pathsep.join(str(Path(path).expanduser()) for path in there))
    api = KubeconfigApi(file, context)
    try:
        api.request("GET", "/version")
    except ApiError as error:
        raise WorkshopError(
            f"The cluster of {file} does not let you in ({error}); log in to it as you do for kubectl."
        ) from error
    except LabError as error:
        raise WorkshopError(f"{_sentence(error)}; does `kubectl version` with the same kubeconfig work?") from error
    return _described(file, context, api)


def _described(file: Path, context: str | None, api: Api) -> Access:
    from kubernetes import config

    contexts, current = config.list_kube_config_contexts(str(file))
    chosen = next((each for each in contexts if each["name"] == context), current)
    configuration = config.new_client_from_config(str(file), context=context).configuration
    authority = Path(configuration.ssl_ca_cert).read_text() if configuration.ssl_ca_cert else ""
    address = Address(
        configuration.host,
        authority,
        getattr(configuration, "tls_server_name", None) or "",
        bool(configuration.verify_ssl),
        chosen["name"],
    )
    return Access(api, address, max(1, min(CONCURRENT, configuration.connection_pool_maxsize or 1)))


def _sentence(error: Exception) -> str:
    return str(error).split("; run the cell")[0].rstrip(".")
