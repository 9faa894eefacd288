"""Who sees what happens to a pod at its end: the API, the EndpointSlices, the rules of a node, the process itself.

Each of them is asked at its source and while it happens, and all that they tell is put on the clock of who listens: no
two machines' clocks have to agree. What one of them cannot see here (the rules of a node that nobody may ask) is left
out.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from kubelab.clusters.base import ClusterError
from kubelab.lab import kinds
from kubelab.lab.api import Api, Lines, Object
from kubelab.lab.errors import ApiError, LabError, NotFound
from kubelab.lab.pods import Pod

if TYPE_CHECKING:
    from kubelab.clusters.base import Node
    from kubelab.lab.lab import Lab

DELETED = "deletion requested"
TERMINATING = "EndpointSlice: terminating"
RULE_GONE = "rule gone from the node"
SIGTERM = "SIGTERM reached the process"
ENDED = "process ended"
EXIT_CODE = "exit code"
GONE = "pod gone from the API"
RULES_EVERY_SECONDS = 0.05
"""How often a node's rules are read: so much too late may be what is told of them."""
RULES_AT_MOST_SECONDS = 0.5
PAUSE_SECONDS = 0.02
"""Between one watch and the next: a server may end them at once."""
RULES = {
    "iptables": ("iptables-save", "-t", "nat"),
    "nftables": ("nft", "list", "table", "ip", "kube-proxy"),
    "ipvs": ("ipvsadm", "-Sn"),
}

Tell = Callable[[str, str, str], None]
"""The pod's UID, what happened to it, and what is to be said besides."""


class Witness(Protocol):
    """Sees one kind of thing."""

    def watch(self, tell: Tell) -> None:
        """Tell what happens until stopped."""
        ...

    def stop(self) -> None:
        """Come to an end soon; may be called from another thread."""
        ...


class _Reading:
    """Reads a long answer of the API, which can be hung up at any moment."""

    def __init__(self, api: Api, path: str, query: dict[str, str]) -> None:
        self._api, self._path, self._query = api, path, query
        self._lock = threading.Lock()
        self._answer: Lines | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            if self._answer is not None:
                self._answer.close()

    @property
    def stopped(self) -> bool:
        """Whether it was told to end, and did not come to the end by itself."""
        return self._stopped.is_set()

    def lines(self, **more: str) -> Iterator[str]:
        answer = self._api.lines(self._path, {**self._query, **more})
        with self._lock:
            self._answer = answer
            if self.stopped:
                answer.close()
        yield from answer


class _Following(_Reading):
    """Follows objects for as long as it is let: a server may end a watch whenever it likes, and forget where it was."""

    def __init__(self, api: Api, path: str, selector: str) -> None:
        super().__init__(api, path, {"labelSelector": selector})

    def events(self) -> Iterator[tuple[str, Object]]:
        """The events of one watch after the other. One that is gone unseen is told of as it was seen last."""
        known: dict[str, Object] = {}
        while not self.stopped:
            listed = self._api.request("GET", self._path, self._query)
            items = {item["metadata"]["uid"]: item for item in listed.get("items") or ()}
            for uid in known.keys() - items.keys():
                yield "DELETED", known[uid]
            known = items
            yield from (("ADDED", item) for item in items.values())
            version = listed["metadata"]["resourceVersion"]
            while version and not self._stopped.wait(PAUSE_SECONDS):
                version = yield from self._watch(known, version)

    def _watch(self, known: dict[str, Object], version: str) -> Generator[tuple[str, Object], None, str]:
        """One watch to its end; returns where the next one goes on, or nothing when the server has forgotten that."""
        try:
            for kind, obj in _events(self.lines(watch="true", resourceVersion=version)):
                version, uid = obj["metadata"]["resourceVersion"], obj["metadata"]["uid"]
                known[uid] = obj
                if kind == "DELETED":
                    del known[uid]
                yield kind, obj
        except ApiError as error:
            if error.status != HTTPStatus.GONE:
                raise
            return ""
        return version


class ApiWitness(_Following):
    """The API's own record of pods: who is to go, with which code its process ended, who is gone."""

    def __init__(self, api: Api, namespace: str, selector: str) -> None:
        super().__init__(api, kinds.POD.path(namespace), selector)

    def watch(self, tell: Tell) -> None:
        for kind, pod in self.events():
            uid = pod["metadata"]["uid"]
            if "deletionTimestamp" not in pod["metadata"]:
                continue
            tell(uid, DELETED, "")
            for container in (pod.get("status") or {}).get("containerStatuses") or ():
                code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
                if code is not None:
                    tell(uid, EXIT_CODE, str(code))
            if kind == "DELETED":
                tell(uid, GONE, "")


class SliceWitness(_Following):
    """The EndpointSlices of one Service."""

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        super().__init__(api, kinds.ENDPOINTSLICE.path(namespace), f"kubernetes.io/service-name={service}")

    def watch(self, tell: Tell) -> None:
        for _, piece in self.events():
            for endpoint in piece.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("terminating"):
                    tell((endpoint.get("targetRef") or {}).get("uid", ""), TERMINATING, "")


class LogWitness(_Reading):
    """The log of one pod's process, which writes a line when it gets SIGTERM, and which ends when the process does."""

    def __init__(self, api: Api, namespace: str, pod: Pod) -> None:
        super().__init__(api, kinds.POD.path(namespace, pod.name) + "/log", {"follow": "true"})
        self._uid = pod.uid

    def watch(self, tell: Tell) -> None:
        try:
            for line in self.lines():
                if line.startswith("SIGTERM"):
                    tell(self._uid, SIGTERM, "")
        except NotFound:
            return  # it was gone before anybody could ask
        if not self.stopped:
            tell(self._uid, ENDED, "")


class RulesWitness:
    """The rules of one node: whether they still lead to a pod."""

    def __init__(self, node: Node, mode: str, pods: Iterable[Pod]) -> None:
        self._node, self._argv = node, RULES[mode]
        self._there = {pod.uid: re.compile(rf"(?<![\d.]){re.escape(pod.ip)}(?!\d)") for pod in pods if pod.ip}
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def watch(self, tell: Tell) -> None:
        there: set[str] = set()
        pause, stopped = RULES_EVERY_SECONDS, False
        while not stopped:
            stopped = self._stop.wait(pause)  # and one last look after that
            began = time.monotonic()
            read = self._node.run(self._argv)
            # On a busy machine the look itself must not be what keeps kube-proxy from its work.
            pause = min(max(RULES_EVERY_SECONDS, 3 * (time.monotonic() - began)), RULES_AT_MOST_SECONDS)
            if read.code != 0:
                raise LabError(f"`{' '.join(self._argv)}` failed on {self._node.name}: {read.stderr.strip()}")
            now = {uid for uid, address in self._there.items() if address.search(read.stdout)}
            for uid in there - now:
                tell(uid, RULE_GONE, "")
            there = now


def witnesses(lab: Lab, selector: str, service: str, pods: Iterable[Pod], client_node: str) -> list[Witness]:
    """All there are for these pods; the rules are those of the node that the client's packets come to first."""
    pods = list(pods)
    seen: list[Witness] = [
        ApiWitness(lab.api, lab.namespace, selector),
        SliceWitness(lab.api, lab.namespace, service),
        *(LogWitness(lab.api, lab.namespace, pod) for pod in pods),
    ]
    with contextlib.suppress(LabError, ClusterError):  # a cluster whose nodes nobody may ask
        node = next((each for each in lab.cluster.nodes() if each.name == client_node), None)
        if node is not None:
            mode = lab.proxy_mode
            if node.run(RULES[mode]).code == 0:
                seen.append(RulesWitness(node, mode, pods))
    return seen


class Hearing:
    """Lets witnesses tell, each in a thread of its own. What made one of them fail is raised at the end."""

    def __init__(self, who: Iterable[Witness], tell: Tell) -> None:
        self._who, self._tell = list(who), tell
        self._failure: Exception | None = None
        self._threads = [
            threading.Thread(target=self._listen, args=(each,), name="kubelab-witness", daemon=True)
            for each in self._who
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop them all and wait for them. Raises what made one of them fail."""
        with ExitStack() as stopping:
            for each in self._who:
                stopping.callback(each.stop)
        for thread in self._threads:
            thread.join(30)
        if self._failure is not None:
            raise self._failure

    def _listen(self, witness: Witness) -> None:
        try:
            witness.watch(self._tell)
        except Exception as error:  # told by `end`: there is nobody to catch it in this thread
            self._failure = error


def _events(lines: Iterable[str]) -> Iterator[tuple[str, Object]]:
    """The events of a watch. Raises `ApiError` for one that is an error."""
    for line in lines:
        event = json.loads(line)
        if event["type"] == "ERROR":
            status = event["object"]
            said = status.get("message", "no reason given")
            raise ApiError(status.get("code", 500), status.get("reason", ""), f"The API ended a watch: {said}")
        if event["type"] != "BOOKMARK":
            yield event["type"], event["object"]
