"""prometheus: counters of questions and answers, under CoreDNS' names."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence

from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive
from kubelab.engine.dns.plugins.base import Failed, Handler, Pages, Plugin, Query, Reply, Site, endpoint, options
from kubelab.engine.metrics import Metrics
from kubelab.engine.plain_http import Answer

VERSION = "1.14.2"
"""The CoreDNS that this name server stands for."""

RUNTIME = f"python{platform.python_version()}"
REVISION = "kubelab"

_SIZES = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)
_SECONDS = tuple(0.00025 * 2**power for power in range(16))
BUCKETS = {
    "coredns_dns_request_duration_seconds": _SECONDS,
    "coredns_dns_request_size_bytes": _SIZES,
    "coredns_dns_response_size_bytes": _SIZES,
    "coredns_proxy_request_duration_seconds": _SECONDS,
}

_COUNTED = frozenset(
    ("A", "AAAA", "MX", "SOA", "CNAME", "PTR", "TXT", "NS", "SRV", "DS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "HTTPS")
) | {"IXFR", "AXFR", "ANY"}


def new_metrics() -> Metrics:
    """The registry of a name server."""
    metrics = Metrics(buckets=BUCKETS)
    metrics.set("coredns_build_info", 1, version=VERSION, revision=REVISION, goversion=RUNTIME)
    metrics.add("coredns_panics_total", 0)
    metrics.add("coredns_reload_failed_total", 0)
    return metrics


class Prometheus(Plugin):
    """``prometheus [ADDRESS]``."""

    name = "prometheus"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        self._endpoint = endpoint(directive.line, "localhost:9153")
        options(directive, {})

    def pages(self) -> Pages:
        """``/metrics``."""
        return {(self._endpoint, "/metrics"): lambda: Answer(self.site.metrics.text())}

    def wrap(self, following: Handler) -> Handler:
        """Count what comes and what goes."""

        async def handle(query: Query) -> Reply:
            started = time.perf_counter()
            try:
                reply = await following(query)
            except Failed as failure:
                self._count(query, failure.rcode, "", None, time.perf_counter() - started)
                raise
            sent = wire.to_send(query.request, reply.message, udp=query.udp)
            self._count(query, wire.rcode_of(sent), reply.plugin, len(sent), time.perf_counter() - started)
            return reply

        return handle

    def _count(self, query: Query, rcode: str, plugin: str, size: int | None, seconds: float) -> None:
        report(self.site.metrics, self.site.labels(query.question.name), query, rcode, plugin, size, seconds)


def report(
    metrics: Metrics,
    labels: dict[str, str],
    query: Query,
    rcode: str,
    plugin: str = "",
    size: int | None = None,
    seconds: float = 0.0,
) -> None:
    """One question and its answer."""
    type_ = query.question.type if query.question.type in _COUNTED else "other"
    family = "2" if ":" in query.client[0] else "1"
    metrics.add("coredns_dns_requests_total", proto=query.protocol, family=family, type=type_, **labels)
    metrics.add("coredns_dns_responses_total", rcode=rcode, plugin=plugin, **labels)
    metrics.observe("coredns_dns_request_duration_seconds", seconds, **labels)
    metrics.observe("coredns_dns_request_size_bytes", len(query.data), proto=query.protocol, **labels)
    if size is not None:
        metrics.observe("coredns_dns_response_size_bytes", size, proto=query.protocol, **labels)
    if wire.wants_dnssec(query.request):
        metrics.add("coredns_dns_do_requests_total", **labels)
