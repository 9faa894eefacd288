"""Real requests from real places: from inside a client pod, from any pod, or from outside the cluster."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import CannotRun, LabError, NotFound, TimedOut
from kubelab.lab.pods import Pod
from kubelab.lab.shell import CLIENT_ARGV, Client, client_input, start_client
from kubelab.lab.traffic import Answer, Traffic, answer

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

CLIENT_POD = "kubelab-client"
IMAGE_SECONDS = 180.0
"""What a first pod may take: on kind the image has to be fetched."""
STREAM_LIMIT_SECONDS = 3600.0
"""A forgotten client ends after an hour."""
_SLEEP = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()"
CLIENT_MANIFEST: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": CLIENT_POD, "labels": {"app.kubernetes.io/name": CLIENT_POD}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "client",
                "image": "python:3.12",
                # Process 1 of a container ignores SIGTERM unless it says otherwise.
                "command": ["python3", "-c", _SLEEP],
            }
        ],
    },
}

Target = str | Pod


class Job(NamedTuple):
    """What the client program is to do; see ``client_program``."""

    url: str
    requests: int | None
    rate: float | None = None
    timeout: float = 2.0
    connections: int | None = None
    spread: bool = False
    until_told: bool = False

    def limit_seconds(self) -> float:
        """How long the whole job may take when every request runs into its time limit, name lookup included."""
        return 30 + (self.requests or 0) * (self.timeout + 1)


class Prober:
    """Sends requests on behalf of one `Lab`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._making_the_client = threading.Lock()

    def probe(self, target: Target, job: Job, source: str | Pod | None) -> Traffic:
        """Send a fixed number of requests and wait for the last answer."""
        if source == "outside":
            results = self._from_outside(job)
        else:
            results = list(self._client(source, job).results(job.limit_seconds()))
        aliases = self._aliases(results)
        answers = tuple(answer(result, aliases) for result in sorted(results, key=lambda result: result["n"]))
        return self.traffic(answers, str(target.alias if isinstance(target, Pod) else target), counted=True)

    def stream(self, target: Target, job: Job, source: str | Pod | None, heard: Callable[[Answer], None]) -> Streaming:
        """Send requests at a rate until stopped; ``heard`` is called with each answer, in another thread."""
        return Streaming(self, self._client(source, job), target, heard)

    def url(self, target: Target, path: str) -> str:
        """The URL that a target means: a URL, a Service, a pod or its alias, an address; with or without a port."""
        if isinstance(target, Pod):
            return _url(self._pod_ip(target), target.port, path)
        if "://" in target:
            return target if not path else target.rstrip("/") + path
        split = urlsplit(f"//{target}")
        if not split.hostname:
            raise LabError(
                f"{target!r} is not something to send requests to; give a Service's name, a pod, an address or a URL."
            )
        pod = self._lab.find_pod(split.hostname)
        host = self._pod_ip(pod) if pod else split.hostname
        port = split.port or (pod.port if pod else self._service_port(host))
        return _url(host, port, path or split.path)

    def alias(self, name: str) -> str:
        """The alias of a pod by its real name; looked up when it is new."""
        known = self._lab.aliases.of_name(name)
        if known is None:
            self._lab.pods()
            known = self._lab.aliases.of_name(name)
        return known or name

    def traffic(self, answers: tuple[Answer, ...], target: str, *, counted: bool) -> Traffic:
        """The answers with the real names of those who gave them."""
        heard = {answer.pod for answer in answers}
        names = {alias: name for alias, name in self._lab.pods().names.items() if alias in heard}
        return Traffic(answers, target, counted, names)

    def _aliases(self, results: list[dict[str, Any]]) -> Mapping[str, str]:
        return {name: self.alias(name) for name in {result.get("pod") for result in results} if name}

    @staticmethod
    def _pod_ip(pod: Pod) -> str:
        if not pod.ip:
            raise LabError(
                f"Pod {pod.alias} has no address yet; wait for it with lab.wait('pod/{pod.alias}', 'ready')."
            )
        return pod.ip

    def _service_port(self, host: str) -> int:
        try:
            ipaddress.ip_address(host)
            return 80
        except ValueError:
            name = host.split(".")[0]
        try:
            service = self._lab.objects.get(kinds.SERVICE, name)
        except NotFound:
            return 80
        return service["spec"]["ports"][0]["port"] if service["spec"].get("ports") else 80

    def _client(self, source: str | Pod | None, job: Job) -> Client:
        name = self.source_name(source)
        return start_client(self._lab.api, self._lab.namespace, name, job._asdict())

    def source_name(self, source: str | Pod | None) -> str:
        """The real name of the pod to send from; the lab's own client is made when it is not there."""
        if isinstance(source, Pod):
            return source.name
        if source is None:
            self._ensure_client_pod()
            return CLIENT_POD
        pod = self._lab.find_pod(source)
        if pod is None:
            raise LabError(
                f"There is no pod {source!r} in {self._lab.namespace} to send requests from; "
                "lab.pods() lists those there are."
            )
        return pod.name

    def _ensure_client_pod(self) -> None:
        with self._making_the_client:
            pod = self._lab.find_pod(CLIENT_POD)
            if pod is not None and pod.ready and not pod.terminating:
                return
            if pod is not None and (pod.terminating or pod.phase in ("Failed", "Succeeded")):
                self._lab.objects.delete(kinds.POD, CLIENT_POD, grace_seconds=0)
                self._lab.wait(f"pod/{CLIENT_POD}", "deleted")
            self._lab.apply(CLIENT_MANIFEST)
            self._lab.wait(f"pod/{CLIENT_POD}", "ready", timeout=IMAGE_SECONDS)

    def _from_outside(self, job: Job) -> list[dict[str, Any]]:
        done = self._lab.cluster.outside.run(
            CLIENT_ARGV, stdin=client_input(job._asdict()), timeout_seconds=job.limit_seconds()
        )
        if done.code == 124:
            raise TimedOut(f"The client outside the cluster did not end within {job.limit_seconds():g} s.")
        if done.code != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise CannotRun(f"The client outside the cluster failed: {last}")
        return [result for result in map(json.loads, done.stdout.splitlines()) if "began" not in result]


class Streaming:
    """A client that sends requests until it is stopped. `stop` may be called twice."""

    def __init__(self, prober: Prober, client: Client, target: Target, heard: Callable[[Answer], None]) -> None:
        self._prober = prober
        self._client = client
        self._target = str(target.alias if isinstance(target, Pod) else target)
        self._heard = heard
        self._answers: list[Answer] = []
        self._failure: Exception | None = None
        self._stopped = False
        self._sending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="kubelab-probe", daemon=True)
        self._thread.start()
        self._sending.wait(10)

    @property
    def failure(self) -> Exception | None:
        """Why the client ended by itself, when it did."""
        return self._failure

    def reconnect(self) -> None:
        """Tell the client to give its kept connections up: each is closed before its next request, and opened anew."""
        self._client.reconnect()

    def tell_to_stop(self) -> None:
        """Tell the client to finish what it has begun, and do not wait for it."""
        if not self._stopped and self._thread.is_alive():
            # A client that has just ended by itself cannot be told; why it ended is in `failure`.
            with contextlib.suppress(LabError):
                self._client.stop()
        self._stopped = True

    def stop(self) -> Traffic:
        """End the client and wait for its last answers. Raises what made it fail."""
        self.tell_to_stop()
        self._thread.join(30)
        if self._failure is not None:
            raise self._failure
        answers = tuple(sorted(self._answers, key=lambda answer: answer.at))
        return self._prober.traffic(answers, self._target, counted=False)

    def _listen(self) -> None:
        aliases: dict[str, str] = {}
        try:
            for result in self._client.results(STREAM_LIMIT_SECONDS, began=self._sending.set):
                pod = result.get("pod")
                if pod and pod not in aliases:
                    aliases[pod] = self._prober.alias(pod)
                heard = answer(result, aliases)
                self._answers.append(heard)
                self._heard(heard)
        except Exception as error:  # told by `stop` and `failure`: there is nobody to catch it in this thread
            self._failure = error
        finally:
            self._sending.set()


def _url(host: str, port: int, path: str) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return f"http://{bracketed}:{port}/{path.lstrip('/')}"
