"""Requests to a cluster as its kubeconfig lets one make them, and what it means when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubelab.clusters.base import ClusterError
from kubelab.clusters.stock_client import UnusableKubeconfig, open_client

CONNECT_SECONDS, READ_SECONDS = 4.0, 10.0
AT_ONCE = 8

Object = dict[str, Any]


class Refused(ClusterError):
    """The API answered with an error. ``status`` is the HTTP code, ``reason`` Kubernetes' own."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotAccepted(ClusterError):
    """The API does not know who asks, or not any more."""


class Access:
    """The API behind a kubeconfig. May be asked from several threads."""

    def __init__(self, kubeconfig: Path) -> None:
        """Raises `ClusterError`."""
        try:
            self._client = open_client(kubeconfig)
        except UnusableKubeconfig as error:
            raise ClusterError(str(error)) from error
        self.server: str = self._client.configuration.host

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None) -> Object:
        """One request. Raises `Refused` for an answer that is an error, `ClusterError` when there is none."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        token = self._client.configuration.auth_settings().get("BearerToken")
        headers = {"accept": "application/json", "user-agent": "kubelab-existing"}
        headers |= {"authorization": token["value"]} if token else {}
        headers |= {"content-type": "application/json"} if body is not None else {}
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                self.server + path + (f"?{urlencode(query)}" if query else ""),
                headers=headers,
                body=json.dumps(body) if body is not None else None,
                timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=False,
            )
        except HTTPError as error:
            raise ClusterError(self._unreachable(error)) from error
        said = _status_of(answer.data)
        if answer.status == 401:
            raise NotAccepted(
                f"The cluster at {self.server} does not accept these credentials: they may have expired; log in to it "
                "again, until `kubectl auth whoami` answers."
            )
        if answer.status >= 400:
            message = said.get("message") or f"the API answered with status {answer.status}"
            raise Refused(answer.status, str(said.get("reason", "")), str(message))
        return said

    def together(self, questions: Sequence[Callable[[], Any]]) -> list[Any]:
        """The answers to several questions, asked at once; the first that raises is raised."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="kubelab-existing") as pool:
            return [each.result() for each in [pool.submit(question) for question in questions]]

    def _unreachable(self, error: Exception) -> str:
        from urllib3.exceptions import SSLError

        if isinstance(error, SSLError):
            return (
                f"The cluster at {self.server} and this kubeconfig do not trust each other's certificate "
                f"({_short(error)}): get a kubeconfig of today from whoever runs the cluster."
            )
        return (
            f"The cluster at {self.server} cannot be reached ({type(error).__name__}): is the network, the VPN or the "
            "cluster itself down? `kubectl version` asks the same."
        )


def _status_of(data: bytes) -> Object:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
