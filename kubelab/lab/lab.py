"""What a lesson does to a cluster: apply, wait, look, send requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from kubelab.lab import kinds, shell, waiting
from kubelab.lab.api import Api, Object
from kubelab.lab.errors import LabError, Lacking, NotFound
from kubelab.lab.events import Events, event_lines
from kubelab.lab.leftovers import make_room
from kubelab.lab.lifelines import PodLifelines
from kubelab.lab.manifests import Source
from kubelab.lab.objects import Applied, Deleted, Objects
from kubelab.lab.pods import Aliases, Pod, Pods
from kubelab.lab.probing import Job, Prober, Streaming, Target
from kubelab.lab.shares import SharesOverTime
from kubelab.lab.shell import Finished
from kubelab.lab.traffic import Answer, Traffic

if TYPE_CHECKING:
    from kubelab.clusters.base import Cluster, ProxyMode
    from kubelab.lab.authority import Authority, Mistake
    from kubelab.lab.certificates import Certificate
    from kubelab.lab.conditions import Conditions
    from kubelab.lab.connections import Connections
    from kubelab.lab.datagrams import Datagrams
    from kubelab.lab.endpoints import Endpoints
    from kubelab.lab.hosts import Hosts
    from kubelab.lab.lookup import Lookup
    from kubelab.lab.pages import Page
    from kubelab.lab.requests import Requests
    from kubelab.lab.served import Handshake
    from kubelab.lab.survey import Survey
    from kubelab.lab.tls_watch import TlsWatch
    from kubelab.lab.witnesses import Witness
    from kubelab.routing.decide import Decision
    from kubelab.routing.model import Table
    from kubelab.trace import Flow, Followed, Trace

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation that `kubectl rollout restart` sets on the pod template."""


_USUAL = {
    "Deployment": "available",
    "Gateway": "answers",
    "HTTPRoute": "answers",
    "Ingress": "answers",
    "Pod": "ready",
    "Service": "endpoints",
}
"""What `Lab.wait` waits for when nothing is said."""


class Lab:
    """One namespace of a cluster, in a lesson's words. Made by `kubelab.connect`."""

    def __init__(self, cluster: Cluster, api: Api, namespace: str) -> None:
        self.cluster = cluster
        self.api = api
        self.namespace = namespace
        self.objects = Objects(api, namespace)
        self.aliases = Aliases()
        self.last_watch: PodLifelines | None = None
        """The newest record of `watch_pods`, for checks."""
        self.last_shares: SharesOverTime | None = None
        """The newest record of `watch_shares`, for checks."""
        self.last_datagrams: Datagrams | None = None
        """The newest record of `datagrams`, for checks."""
        self.last_tls_watch: TlsWatch | None = None
        """The newest record of `watch_tls`, for checks."""
        self._prober = Prober(self)

    def __repr__(self) -> str:
        return f"Lab({self.namespace})"

    @cached_property
    def hosts(self) -> Hosts:
        """What the lesson's host names are on this cluster."""
        from kubelab.lab.hosts import Hosts

        return Hosts(self.cluster.host)

    # Objects

    def apply(self, source: Source) -> Applied:
        """Create or update objects: YAML text (several documents are fine), a path, a dict or a list of dicts.

        Fields that were applied before and are gone now go away. Raises `BadManifest` with the line, `ApiError`.
        """
        self.objects.ensure_namespace()
        return self.objects.apply(source)

    def get(self, what: str) -> Object:
        """One object as the API has it: ``lab.get("service/web")``. Raises `ApiError` (404)."""
        return self.objects.get(*self._named(what))

    def find_one(self, what: str) -> Object | None:
        """One object as `get` has it; None when there is none."""
        with suppress(NotFound):
            return self.get(what)
        return None

    def find(self, kind: str, selector: str = "") -> list[Object]:
        """The objects of a kind, narrowed by labels: ``lab.find("pods", "app=web")``."""
        return self.objects.find(kinds.named(kind, self.api), selector)

    def conditions(self, what: str) -> Conditions:
        """What is said of an object in its conditions, those of a Gateway's listeners and a route's parents too.

        ``lab.conditions("httproute/shop")``. Raises `ApiError` (404).
        """
        from kubelab.lab.conditions import conditions

        found = self.get(what)
        return conditions(f"{found['kind'].lower()}/{found['metadata']['name']}", found)

    def delete(self, what: str | Pod | Pods, grace_seconds: int | None = None) -> Deleted:
        """Delete one object (``"service/web"``), pods, or all pods with some labels (``"app=web"``). Does not wait."""
        if isinstance(what, str) and "=" not in what:
            gone = self.objects.delete(*self._named(what), grace_seconds)
            return Deleted((what,) if gone else ())
        pods = [what] if isinstance(what, Pod) else self.pods(what) if isinstance(what, str) else what
        return Deleted(
            tuple(f"pod/{pod.alias}" for pod in pods if self.objects.delete(kinds.POD, pod.name, grace_seconds))
        )

    def scale(self, what: str, replicas: int) -> None:
        """Set the number of replicas and wait until it is so: ``lab.scale("deployment/web", 1)``."""
        kind, name = self._named(what)
        self.objects.patch(kind, name, {"spec": {"replicas": replicas}})
        self.wait(what, "available")

    def restart(self, what: str) -> None:
        """Roll out every pod anew, as `kubectl rollout restart` does, and wait until that is done."""
        kind, name = self._named(what)
        annotation = {RESTARTED_AT: datetime.now(UTC).isoformat(timespec="microseconds")}
        self.objects.patch(kind, name, {"spec": {"template": {"metadata": {"annotations": annotation}}}})
        self.wait(what, "available")

    def set_env(self, what: str, **variables: str) -> None:
        """Set environment variables of a Deployment's first container and wait for the rollout: `kubectl set env`."""
        kind, name = self._named(what)
        container = self.objects.get(kind, name)["spec"]["template"]["spec"]["containers"][0]["name"]
        env = [{"name": key, "value": value} for key, value in variables.items()]
        changed = {"containers": [{"name": container, "env": env}]}
        self.objects.patch(kind, name, {"spec": {"template": {"spec": changed}}})
        self.wait(what, "available")

    def reset(self) -> None:
        """Back to an empty namespace, and aliases from 1 again. In a namespace that is not kubelab's, only what is.

        In a lesson's or a task's namespace something begins: what the lessons before the last three left makes room.
        """
        self.objects.ensure_namespace()
        cleared = self.objects.clear()
        waiting.until(
            lambda: waiting.pods_gone(self.pods(cleared)), f"The pods of {self.namespace} are still there", 60
        )
        if not self.cluster.namespace:
            make_room(self.api, self.namespace)
        self.aliases = Aliases()
        self.last_watch = None
        self.last_shares = None
        self.last_datagrams = None
        self.last_tls_watch = None

    # Pods

    def pods(self, selector: str = "") -> Pods:
        """The pods with some labels (``"app=web"``), in the order of their creation, under their short names."""
        return self.aliases.view(self.objects.find(kinds.POD, selector))

    def find_pod(self, name: str) -> Pod | None:
        """A pod by alias, real name or address; None when there is none."""
        return next((pod for pod in self.pods() if name in (pod.alias, pod.name, pod.ip)), None)

    def pod(self, name: str) -> Pod:
        """A pod by alias or real name. Raises `LabError` when there is none."""
        pod = self.find_pod(name)
        if pod is None:
            raise LabError(f"There is no pod {name!r} in {self.namespace}; lab.pods() lists those there are.")
        return pod

    def exec(self, pod: str | Pod, argv: Sequence[str], timeout: float = 30) -> Finished:
        """Run a command inside a pod: ``lab.exec("web-1", ["cat", "/etc/resolv.conf"])``.

        Raises `CannotRun`, `TimedOut`.
        """
        name = pod.name if isinstance(pod, Pod) else self.pod(pod).name
        return shell.run(self.api, self.namespace, name, argv, timeout)

    def logs(self, pod: str | Pod, *, tail: int | None = None, previous: bool = False) -> str:
        """What a pod's container has written (``tail``: the last lines only; ``previous``: the container before it)."""
        name = pod.name if isinstance(pod, Pod) else self.pod(pod).name
        query = {"tailLines": str(tail)} if tail is not None else {}
        if previous:
            query["previous"] = "true"
        return self.api.text(kinds.POD.path(self.namespace, name) + "/log", query)

    def events(self, about: str = "") -> Events:
        """What Kubernetes reports of the objects here, oldest first; of one object with ``about="pod/web-1"``."""
        name = None
        if about:
            name = self._named(about)[1]
        return event_lines(self.objects.find(kinds.EVENT), name, self.aliases)

    # Waiting

    def wait(self, target: str, condition: str = "", timeout: float = 60) -> None:
        """Wait until a condition holds. Raises `TimedOut`, which says what was last seen.

        ``wait("deployment/web", "available")``  a rollout is done and no old pod is left to come
        ``wait("pod/web-1", "ready")``  or ``"deleted"``; ``wait("app=web", "ready")`` for all pods with these labels
        ``wait("service/web", "endpoints")``  at least one endpoint is ready; ``"answers"``: and requests to it arrive
        ``wait("ingress/shop", "answers")``  it has an address, and its paths are answered by whom the objects name
        ``wait("gateway/edge", "answers")``  requests to its listeners arrive; ``wait("httproute/shop", "answers")``
        ``wait("anything/name", "exists")``, ``"deleted"``, or the type of one of its ``status.conditions``
        """
        look, wanted = self._condition(target, condition)
        what = {
            "endpoints": "has no endpoints",
            "answers": "does not answer",
            "exists": "does not exist",
            "deleted": "is still there",
        }
        waiting.until(look, f"{target} {what.get(wanted, f'is not {wanted}')}", timeout)

    def _condition(self, target: str, condition: str) -> tuple[Callable[[], waiting.Seen], str]:
        if "/" not in target or "=" in target:
            looks = {"ready": waiting.pods_ready, "deleted": waiting.pods_gone}
            if (condition or "ready") not in looks:
                raise LabError(
                    f"Pods chosen by labels can be waited for as 'ready' or 'deleted', not as {condition!r}."
                )
            look = looks[condition or "ready"]
            return lambda: look(self.pods(target)), condition or "ready"
        kind, name = self._named(target)
        usual = _USUAL.get(kind.kind, "exists")
        return lambda: self._look(kind, name, condition or usual), condition or usual

    def _look(self, kind: kinds.Kind, name: str, condition: str) -> waiting.Seen:
        if kind is kinds.SERVICE and condition in ("endpoints", "answers"):
            slices = self.objects.find(kinds.ENDPOINTSLICE, f"kubernetes.io/service-name={name}")
            seen = waiting.endpoints_ready(slices)
            return self._answers(name) if seen.holds and condition == "answers" else seen
        try:
            found = self.objects.get(kind, name)
        except NotFound:
            return waiting.Seen(condition == "deleted", f"there is no {kind.kind} {name!r}")
        if condition in ("exists", "deleted"):
            return waiting.Seen(condition == "exists", "it is there")
        if condition == "answers":
            from kubelab.lab.requests.settling import answers

            return answers(self, found)
        if kind is kinds.DEPLOYMENT and condition == "available":
            labels = (found["spec"]["selector"].get("matchLabels") or {}).items()
            return waiting.deployment_available(found, self.pods(",".join(f"{key}={value}" for key, value in labels)))
        if kind is kinds.POD and condition == "ready":
            return waiting.pods_ready(self.aliases.view([found]))
        return waiting.condition(found, condition)

    def _answers(self, service: str) -> waiting.Seen:
        """EndpointSlices are known at once, rules follow on each node: only traffic tells that they are there."""
        traffic = self.probe(service, n=3, timeout=1)
        return waiting.Seen(traffic.success == 1, traffic.sentence)

    # Requests

    def probe(
        self,
        target: Target,
        n: int = 20,
        source: str | Pod | None = None,
        *,
        path: str = "",
        connections: int | None = None,
        timeout: float = 2,
    ) -> Traffic:
        """Send ``n`` real requests, one after the other, each over a connection of its own unless some are kept.

        ``target``: a Service's name, ``"web:8080/hostname"``, a pod or its alias, an address, a URL.
        ``source``: a pod to send from; the lab's own client pod when left out; ``"outside"`` for outside the cluster.
        ``connections``: so many are kept, and requests take turns over them. ``timeout``: seconds to wait for answers.
        """
        self.objects.ensure_namespace()
        job = Job(self._prober.url(target, path), n, timeout=timeout, connections=connections)
        return self._prober.probe(target, job, source)

    def stream(
        self,
        target: Target,
        *,
        rate: float = 25,
        source: str | Pod | None = None,
        timeout: float = 2,
        connections: int | None = None,
        spread: bool = False,
        heard: Callable[[Answer], None] = lambda _: None,
    ) -> Streaming:
        """Send ``rate`` requests a second until its ``stop()``; ``heard`` gets each answer, in another thread.

        ``connections``: so many are kept, and requests take turns over them. ``spread``: requests take turns over all
        addresses that the name has, looked up again every second (client-side balancing).
        """
        self.objects.ensure_namespace()
        job = Job(self._prober.url(target, ""), None, rate, timeout, connections, spread, until_told=True)
        return self._prober.stream(target, job, source, heard)

    def datagrams(
        self,
        target: str,
        clients: Iterable[str] = ("fixed", "fresh"),
        source: str | Pod | None = None,
        *,
        rate: float = 20,
        timeout: float = 1,
    ) -> Datagrams:
        """Send UDP datagrams during a ``with`` block, and record who answered which of them, and when.

        ``target``: host and port, as ``"echo:5300"``. ``clients``: ``"fixed"`` keeps its source port, ``"fresh"`` takes
        another for every datagram. ``rate``: datagrams a second of each. ``timeout``: seconds until one counts as lost.
        """
        from kubelab.lab.datagrams import datagrams

        self.objects.ensure_namespace()
        self.last_datagrams = datagrams(self, target, clients, source, rate, timeout)
        return self.last_datagrams

    def connections(
        self,
        node: str | None = None,
        service: str | None = None,
        source: str | Pod | None = None,
        protocol: str | None = None,
    ) -> Connections:
        """What the kernels of the nodes remember of connections (``conntrack -L``), the ends by their names.

        ``node``: one node's table only. ``service``: those that asked for that Service, by any of its addresses (on the
        node that translated them). ``source``: those of one pod, one node, or ``"outside"``. ``protocol``: ``"tcp"``,
        ``"udp"`` … Raises `LabError` where there is no such table.
        """
        from kubelab.lab.connections import connections

        return connections(self, node=node, service=service, source=source, protocol=protocol)

    def page(self, url: str) -> Page:
        """Show ``http://shop.example.test/cart`` as the learner's own browser sees it, by way of Jupyter.

        Raises `Lacking` where nothing of the cluster's ingress is on this machine.
        """
        from kubelab.lab.pages import page

        if not self.cluster.loopback:
            raise Lacking("Jupyter has no way to this cluster's ingress; `lab.requests` asks from a pod.")
        return page(url)

    def watch_pods(
        self,
        selector: str = "",
        clients: Mapping[str, Target] | None = None,
        *,
        every: float = 0.1,
        rate: float = 25,
        kept: Mapping[str, int] | None = None,
        timeout: float = 2,
        service: str = "",
    ) -> PodLifelines:
        """Record the lives of pods during a ``with`` block, and what ``clients`` (name → target) got meanwhile.

        A client looks its target up once, at the start: a pod becomes that pod's IP, for good. ``kept``: how many
        connections a client keeps; the others open one for each request. ``timeout``: seconds to wait for answers.
        ``service``: record also what the API, this Service's EndpointSlices, the client's node and the pods' own logs
        tell of every pod's end: ``record.deaths``.
        """

        def starter(name: str, target: Target) -> Callable[[Callable[[Answer], None]], Streaming]:
            kept_by = (kept or {}).get(name)
            return lambda heard: self.stream(target, rate=rate, connections=kept_by, timeout=timeout, heard=heard)

        def seen_by(pods: Pods) -> Iterable[Witness]:
            from kubelab.lab.witnesses import witnesses

            return witnesses(self, selector, service, pods, self.pod(self.client_name(None)).node) if service else ()

        starters = {name: starter(name, target) for name, target in (clients or {}).items()}
        self.last_watch = PodLifelines(lambda: self.pods(selector), starters, every, witnesses=seen_by)
        return self.last_watch

    # Ingress

    def requests(
        self,
        *urls: str,
        n: int = 1,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str = "",
        source: str | Pod | None = "outside",
        rate: float | None = None,
        keep: bool = False,
        via: str = "",
        address: str = "",
        verify: bool = True,
        timeout: float = 3,
    ) -> Requests:
        """Send requests to where Ingress traffic enters, whatever DNS says of their hosts: ``curl --resolve``.

        Each URL is asked for ``n`` times, one request after the other or ``rate`` a second; its path is sent as it is
        written, redirects are not followed. ``source``: a pod to send from; None for the lab's own client pod, which
        sends also where nobody outside reaches the ingress.
        ``keep``: use a connection for one request after the other. ``via="gateway/edge"``: that object's address;
        ``address``: any other. ``verify=False``: ask also where the certificate is not trusted, and tell why it is
        not, as ``curl --insecure`` does not. ``timeout``: seconds a request. Raises `LabError`.
        """
        from kubelab.lab.requests import Asked, send

        given = tuple((headers or {}).items())
        return send(self, Asked(urls, n, method, given, body, source, rate, keep, via, address, verify, timeout))

    def routing(self) -> Table:
        """What this cluster's Ingresses, Gateways and HTTPRoutes ask for, of the course's own controllers' classes."""
        from kubelab.lab.routes import routing

        return routing(self)

    def decide(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        *,
        via: str = "",
        at: Table | None = None,
    ) -> Decision:
        """Which rule a request belongs to and why not to another, computed from the objects: nothing is sent.

        ``via="gateway/edge"``: the request comes to that Gateway. ``at``: a table of `routing` made before. Of other
        namespaces' rules those for this host are told.
        """
        from kubelab.lab.routes import decision

        return decision(self, url, method, headers or {}, via, at)

    # kube-proxy

    @property
    def proxy_mode(self) -> ProxyMode:
        """What the nodes' kube-proxies say they serve by: ``"iptables"``, ``"nftables"`` or ``"ipvs"``."""
        from kubelab.lab import modes

        return modes.current(self)

    def switch_proxy_mode(self, mode: ProxyMode) -> None:
        """Let all nodes serve by another mode, while traffic goes on; returns when they do. Raises `LabError`.

        Nothing of the old mode is left on the nodes then; connections that are open stay where they are.
        """
        from kubelab.lab import modes

        modes.switch(self, mode)

    # TLS

    @cached_property
    def authority(self) -> Authority:
        """The course's certificate authority, kept with the cluster; ``curl --cacert`` takes its ``path``."""
        from kubelab.engine.state import state_of
        from kubelab.lab.authority import Authority

        return Authority.kept_in(state_of(self.cluster.name).root / "course-ca")

    def certificate(
        self,
        *names: str,
        secret: str = "",
        namespace: str = "",
        days: float = 90,
        mistake: Mistake | None = None,
    ) -> Certificate:
        """Let the course CA issue a certificate for some DNS names, and put it into a Secret of type kubernetes.io/tls.

        ``secret``: its name; ``shop-tls`` for ``shop.example.test`` when left out. One that is there gets the new
        certificate: a rotation. ``namespace``: another than the lab's. ``mistake``: with one thing wrong:
        ``"wrong name"``, ``"expired"``, ``"not yet valid"``, ``"self-signed"``, ``"other key"``, ``"no intermediate"``,
        ``"weak key"``, ``"garbled"``. Raises `LabError`.
        """
        from kubelab.lab.certificates import certificate

        return certificate(self, names, secret, namespace, days, mistake)

    def tls(
        self,
        host: str,
        port: int = 443,
        *,
        sni: str | None = "",
        source: str | Pod | None = "outside",
        address: str = "",
        via: str = "",
        timeout: float = 3,
        until: Certificate | None = None,
        patience: float = 60,
    ) -> Handshake:
        """Shake hands with who serves a host, as a client that trusts the course CA: what was served, verified or not.

        ``sni``: another name to say than the host's, None for none at all; the certificate is compared with the host.
        ``source``: a pod to shake from; None for the lab's own client pod. ``address``: where to connect to; left out,
        it is where Ingress traffic enters; ``via="gateway/edge"`` takes that object's. ``timeout``: seconds.
        ``until``: shake again until this certificate is served, at most for ``patience`` seconds.
        """
        from kubelab.lab.handshakes import handshake

        return handshake(self, host, port, sni, source, address, via, timeout, until, patience)

    def watch_tls(
        self,
        host: str,
        port: int = 443,
        *,
        rate: float = 50,
        sni: str | None = "",
        source: str | Pod | None = "outside",
        address: str = "",
        via: str = "",
        timeout: float = 3,
    ) -> TlsWatch:
        """Record handshakes, ``rate`` new connections a second, during a ``with`` block: which certificate each got.

        ``with watch.event("rotated"):`` in the block marks what is done. The others as for `tls`.
        """
        from kubelab.lab import handshakes
        from kubelab.lab.tls_watch import TlsWatch

        job = handshakes.job_for(self, host, port, sni, address, via, timeout, rate)
        self.last_tls_watch = TlsWatch(
            host, lambda: handshakes.start(self, source, job), handshakes.Reader(self, job), asked_rate=rate
        )
        return self.last_tls_watch

    # Packets

    def survey(self) -> Survey:
        """What every node's tools say now (rules, routes, connections); `trace` may be asked of it often."""
        from kubelab.lab.survey import survey

        return survey(self)

    def trace(
        self,
        source: str | Pod,
        target: str | Pod,
        port: int | str = 0,
        protocol: str = "tcp",
        *,
        source_port: int = 0,
        draw: float | Sequence[float] | None = None,
        connection: Flow | str | None = None,
        remembered: str | Iterable[str] = (),
        via: str = "",
        at: Survey | None = None,
    ) -> Trace:
        """Which ways a packet may take, hop by hop, computed from the nodes' own rules, routes and connections.

        ``source``: a pod, a node, ``"outside"`` or an address. ``target``: a Service (``"web"``, ``"web:http"``), a
        pod, ``"NODE:PORT"``, an address. ``draw`` settles what is left to chance: a number from 0 to below 1, or one
        for each draw. ``source_port`` or ``connection`` (a line of ``conntrack -L``): a packet of a known connection.
        ``remembered``: pods that session affinity has the client with. ``via``: the node by which a packet from
        outside comes in. ``at``: a `survey` made before; by default everything is read anew.

        The result shows names, which are the same on every run; its ``text()`` and ``html()`` have the addresses.
        Raises `LabError`.
        """
        from kubelab.lab import tracing

        return tracing.trace(
            self, source, target, port, protocol,
            source_port=source_port, draw=draw, connection=connection, remembered=remembered, via=via, at=at,
        )  # fmt: skip

    def endpoints(self, service: str) -> Endpoints:
        """The EndpointSlices of a Service: ports, and whose addresses, ready or not: ``lab.endpoints("web")``."""
        from kubelab.lab.endpoints import endpoints

        return endpoints(self, service)

    def lookup(self, name: str, type: str = "A", source: str | Pod | None = None) -> Lookup:
        """What the cluster's name server says of a name, asked by the lab's client or by the pod ``source``.

        ``type``: ``"A"``, ``"AAAA"``, ``"SRV"``, ``"CNAME"``, ``"PTR"``, ``"TXT"`` …
        """
        from kubelab.lab.lookup import lookup

        self.objects.ensure_namespace()
        return lookup(self, name, type, source)

    def client_name(self, source: str | Pod | None = None) -> str:
        """The real name of the pod that a client runs in: ``source``, or the lab's own, made when it is not there."""
        return self._prober.source_name(source)

    def watch_shares(
        self,
        service: str,
        *,
        rate: float = 300,
        connections: int | None = None,
        spread: bool = False,
        phase_seconds: float = 1.5,
    ) -> SharesOverTime:
        """Record who answers a client of a Service during a ``with`` block, before and after each ``event`` in it.

        ``rate``, ``connections``, ``spread``: as for `stream`. ``phase_seconds``: how long to go on after each event.
        """
        labels = (self.get(f"service/{re.split('[.:]', service)[0]}")["spec"].get("selector") or {}).items()
        selector = ",".join(f"{key}={value}" for key, value in labels)

        def start(heard: Callable[[Answer], None]) -> Streaming:
            return self.stream(service, rate=rate, connections=connections, spread=spread, heard=heard)

        self.last_shares = SharesOverTime(service, lambda: self.pods(selector), start, round(rate * phase_seconds))
        return self.last_shares

    def follow(
        self,
        source: str | Pod,
        target: str | Pod,
        port: int | str = 0,
        protocol: str = "tcp",
        *,
        source_port: int = 0,
        path: str = "/",
        timeout: float = 0.8,
    ) -> Followed:
        """Send one real packet and hear from every node's kernel which rules it met, beside what `trace` computes.

        A real client connects from the pod, the node or ``"outside"`` (over UDP: sends ``path`` as a datagram); its
        first packet carries a DSCP value by which it is known again. What listens on the nodes goes away by itself.
        ``timeout``: seconds that the client waits. Raises `LabError` where there is no kernel to ask.
        """
        from kubelab.lab.following import follow

        return follow(self, source, target, port, protocol, source_port=source_port, path=path, timeout=timeout)

    def _named(self, what: str) -> tuple[kinds.Kind, str]:
        """The kind and the real name in ``deployment/web`` or ``pod/web-1``."""
        match = re.fullmatch(r"([A-Za-z]+)/([a-z0-9][-a-z0-9.]*)", what)
        if match is None:
            raise LabError(f"{what!r} names no object; write it as kind/name, for example 'deployment/web'.")
        kind, name = kinds.named(match[1], self.api), match[2]
        pod = self.find_pod(name) if kind is kinds.POD else None
        return kind, pod.name if pod else name
