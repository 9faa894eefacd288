"""The name server's metrics, under CoreDNS' names, in the text form that Prometheus reads."""

from __future__ import annotations

from collections import Counter

from kubelab.engine.config import CLUSTER_DOMAIN

_LABELS = f'family="1",server="dns://:53",zone="{CLUSTER_DOMAIN}."'


class Tally:
    """Counts requests and responses."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._responses: Counter[tuple[str, str]] = Counter()
        self._seconds = 0.0

    def request(self, protocol: str, type_: str) -> None:
        """A request came; types without a name are counted together, as anybody can ask for any number."""
        self._requests[protocol, "other" if type_.isdigit() else type_] += 1

    def response(self, protocol: str, rcode: str, seconds: float) -> None:
        """It was answered."""
        self._responses[protocol, rcode] += 1
        self._seconds += seconds

    def text(self) -> str:
        """The exposition format."""
        lines = ["# TYPE coredns_dns_requests_total counter"]
        for (protocol, type_), count in sorted(self._requests.items()):
            lines.append(f'coredns_dns_requests_total{{proto="{protocol}",type="{type_}",{_LABELS}}} {count}')
        lines.append("# TYPE coredns_dns_responses_total counter")
        for (protocol, rcode), count in sorted(self._responses.items()):
            lines.append(f'coredns_dns_responses_total{{proto="{protocol}",rcode="{rcode}",{_LABELS}}} {count}')
        lines.append("# TYPE coredns_dns_request_duration_seconds summary")
        lines.append(f"coredns_dns_request_duration_seconds_sum {self._seconds:.6f}")
        lines.append(f"coredns_dns_request_duration_seconds_count {self._responses.total()}")
        return "\n".join([*lines, ""])
