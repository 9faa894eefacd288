"""The Kubernetes API as a lesson uses it: plain dicts in, plain dicts out.

The `kubernetes` package does what is hard (kubeconfig, TLS, credentials, the exec stream); its typed models are left
aside, because lessons show manifests as they are written. It takes a third of a second to import, so it is
loaded with the first request and not with `kubelab.connect()`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from kubelab.clusters.stock_client import UnusableKubeconfig, open_client
from kubelab.lab.errors import PASSING, PAUSES_SECONDS, ApiError, LabError, NoAnswer

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""


class Stream(Protocol):
    """A command that runs in a container: lines go in, lines come out."""

    def send(self, text: str) -> None:
        """Write to the command's standard input."""
        ...

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        """Standard output, line by line, to its end. Raises `TimeoutError`."""
        ...

    @property
    def stderr(self) -> str:
        """What the command wrote to standard error."""
        ...

    @property
    def code(self) -> int:
        """The exit code, once `lines` has come to its end."""
        ...

    def close(self) -> None:
        """Hang up; the command sees the end of its input."""
        ...


class Lines(Protocol):
    """An answer that is still coming."""

    def __iter__(self) -> Iterator[str]:
        """Line by line, as they come, to the end or until somebody closes it."""
        ...

    def close(self) -> None:
        """Hang up, from any thread."""
        ...


class Api(Protocol):
    """What the lab needs of an API server; tests bring their own."""

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """One request. Raises `ApiError` for an answer that is an error, `LabError` when there is no answer."""
        ...

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """A GET whose answer is text (a pod's log)."""
        ...

    def lines(self, path: str, query: Mapping[str, str] | None = None) -> Lines:
        """A GET whose answer comes line by line and may never end: a watch, a log that is followed."""
        ...

    def run(self, namespace: str, pod: str, argv: Sequence[str], container: str | None = None) -> Stream:
        """Start a command in a pod's container (`kubectl exec -i`). Raises `LabError`."""
        ...


_TIMEOUT_SECONDS = 30
_REVIEWS = "/apis/authorization.k8s.io/"
"""What is POSTed there changes nothing."""
_LONGEST_WAIT_SECONDS = 5
"""Of those that a busy API server may ask for (Retry-After)."""


class KubeconfigApi:
    """The API that a kubeconfig points to."""

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._client: Any = None
        self._loading = threading.Lock()

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        return json.loads(self._send(method, path, query, body) or b"{}")

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return self._send("GET", path, query, None).decode("utf-8", "replace")

    def lines(self, path: str, query: Mapping[str, str] | None = None) -> Lines:
        from kubelab.lab.long_answers import LongAnswer

        return LongAnswer(self._ask("GET", path, query, None, long=True))

    def run(self, namespace: str, pod: str, argv: Sequence[str], container: str | None = None) -> Stream:
        from kubelab.lab.websocket import WebSocketStream

        query = [("command", word) for word in argv]
        query += [(channel, "true") for channel in ("stdin", "stdout", "stderr")]
        if container:
            query.append(("container", container))
        client = self._open()
        url = f"{client.configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        return WebSocketStream(client.configuration, url, query, self._credentials(), pod)

    def _open(self) -> Any:
        with self._loading:
            if self._client is None:
                try:
                    self._client = open_client(self._kubeconfig, self._context)
                except UnusableKubeconfig as error:
                    raise LabError(str(error)) from error
            return self._client

    def _credentials(self) -> dict[str, str]:
        token = self._open().configuration.auth_settings().get("BearerToken")
        return {"authorization": token["value"]} if token else {}

    def _send(self, method: str, path: str, query: Mapping[str, str] | None, body: Object | None) -> bytes:
        return self._ask(method, path, query, body).data

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Object | None, *, long: bool = False
    ) -> Any:
        """The response, asked for again as long as that may help and does no harm; of a long one only the head.

        A kept connection may have been closed meanwhile, an engine that is being healed is away for a moment, and a
        control plane that changes its leader says so with 500, 503 or 504. A POST is then sent once: whether the first
        one did its work, nobody can say.
        """
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        client = self._open()
        headers = {"accept": "application/json", "user-agent": "kubelab-lab", **self._credentials()}
        if body is not None:
            headers["content-type"] = "application/json"
        url = client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        data = json.dumps(body) if body is not None else None
        timeout = Timeout(connect=_TIMEOUT_SECONDS, read=None if long else _TIMEOUT_SECONDS)
        once, uncertain = method == "POST" and not path.startswith(_REVIEWS), False
        for pause in (*PAUSES_SECONDS, None):
            again = pause
            try:
                # urllib3's own retries would be logged on stderr, in the middle of a lesson.
                response = client.rest_client.pool_manager.request(
                    method, url, headers=headers, body=data, timeout=timeout, retries=False, preload_content=not long
                )
                if response.status < 400 or (response.status == 404 and method == "DELETE" and uncertain):
                    return response
                again = _again_after(response.status, response.headers.get("retry-after", ""), pause, once)
                if again is None:
                    raise _api_error(response.status, response.data)
                uncertain = uncertain or response.status != 429
            except HTTPError as error:
                if once or again is None:
                    raise NoAnswer(
                        f"The cluster's API at {client.configuration.host} does not answer ({type(error).__name__}); "
                        "run the cell with kubelab.connect() again, `kubelab status` says how the cluster is."
                    ) from error
                uncertain = True
            time.sleep(again)
        raise AssertionError("unreachable")


def _again_after(status: int, told: str, pause: float | None, once: bool) -> float | None:
    """Seconds after which it is worth asking again, and does no harm; None: it is not. ``told``: by the server."""
    if pause is not None and status == 429 and told.isdigit():
        return min(int(told), _LONGEST_WAIT_SECONDS)  # it was not begun: also a POST may come again
    return pause if status in PASSING and not once else None


def _api_error(status: int, data: bytes) -> ApiError:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    message = answer.get("message") or data.decode("utf-8", "replace")[:200] or f"the API answered with status {status}"
    return ApiError(status, answer.get("reason", ""), message, answer.get("details"))
