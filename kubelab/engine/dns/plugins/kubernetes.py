"""kubernetes: the cluster's own names."""

from __future__ import annotations

from collections.abc import Sequence

from kubelab.engine.client import Client
from kubelab.engine.dns import wire
from kubelab.engine.dns.answers import Rules, answer
from kubelab.engine.dns.cluster_names import ClusterNames
from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.plugins.base import Failed, Fallthrough, Handler, Plugin, Query, Reply, Site, within, zone_of
from kubelab.engine.dns.plugins.base import options as read_options
from kubelab.engine.dns.records import Answer, Question
from kubelab.engine.dns.snapshot import Snapshot

_POD_MODES = ("disabled", "insecure", "verified")


class Kubernetes(Plugin):
    """``kubernetes [ZONES...] { … }``."""

    name = "kubernetes"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        self._zones = tuple(map(zone_of, directive.line.args)) or site.zones
        domain = next((zone for zone in self._zones if not zone.endswith(".arpa")), None)
        if domain is None:
            raise directive.line.wrong("non-reverse zone name must be used")
        self._fallthrough = Fallthrough()
        self._ttl, self._pods, self._ignore, self._pod_names = 5, "disabled", False, False
        self._only: tuple[str, ...] = ()
        read_options(
            directive,
            {
                "pods": self._read_pods,
                "ttl": self._read_ttl,
                "fallthrough": lambda line: self._fallthrough.set(line.args),
                "endpoint_pod_names": self._read_pod_names,
                "namespaces": self._read_namespaces,
                "ignore": self._read_ignore,
            },
        )
        self._rules = Rules(domain, self._ttl, self._pods, self._ignore, frozenset(site.own))
        self._client: Client | None = None
        self.names: ClusterNames | None = None

    def _read_pods(self, line: Line) -> None:
        self._pods = line.only()
        if self._pods not in _POD_MODES:
            raise line.wrong(f"wrong value for pods: {self._pods},  must be one of: disabled, verified, insecure")

    def _read_ttl(self, line: Line) -> None:
        self._ttl = line.number_of(line.only())
        if self._ttl > 3600:
            raise line.wrong(f"ttl must be in range [0, 3600]: {self._ttl}")

    def _read_pod_names(self, line: Line) -> None:
        if line.args:
            raise line.wrong_arguments()
        self._pod_names = True

    def _read_namespaces(self, line: Line) -> None:
        if not line.args:
            raise line.wrong_arguments()
        self._only += line.args

    def _read_ignore(self, line: Line) -> None:
        if line.only() != "empty_service":
            raise line.wrong(f"unable to parse ignore value: '{line.args[0]}'")
        self._ignore = True

    @property
    def ready(self) -> bool:
        """Whether every list has been read once."""
        return self.names is not None and self.names.ready

    async def start(self) -> None:
        """Make ready to follow the API."""
        self._client = self.site.client()
        self.names = ClusterNames(
            self._client, pods=self._pods == "verified", only=self._only, endpoint_pod_names=self._pod_names
        )

    async def until_ready(self) -> None:
        """Wait for the API."""
        assert self.names is not None
        await self.names.synced()

    async def run(self) -> None:
        """Follow the API."""
        assert self.names is not None and self._client is not None
        try:
            await self.names.run()
        finally:
            await self._client.close()

    def wrap(self, following: Handler) -> Handler:
        """Answer for the cluster's zones; what falls through is asked for further on."""

        async def handle(query: Query) -> Reply:
            zone = within(query.question.name, self._zones)
            if zone is None:
                return await following(query)
            snapshot = self.names.snapshot() if self.names else None
            found = answer(query.question, snapshot or Snapshot(), self._rules, zone)
            if found.rcode == "NXDOMAIN":
                if self._fallthrough(query.question.name):
                    return await following(query)
                if snapshot is None:
                    raise Failed
            return Reply(await self._complete(query, found), self.name)

        return handle

    async def _complete(self, query: Query, found: Answer) -> wire.Message:
        """With what the outside says about the name that an alias leads to."""
        if not found.chase:
            return wire.reply(query.request, found)
        request = wire.request_for(found.chase, query.question.type)
        question = Question(found.chase, query.question.type)
        try:
            other = await self.site.ask(Query(request, question, bytes(request.pack()), query.udp, query.client))
        except Failed:
            return wire.reply(query.request, found)
        return wire.appended(query.request, found, other.message)
