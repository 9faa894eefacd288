"""The counters of the cluster's own name server, CoreDNS, as it shows them to Prometheus."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass

from kubelab.clusters.base import SKIPPED
from kubelab.lab.errors import ApiError
from kubelab.lab.lab import Lab

_PODS = "/api/v1/namespaces/kube-system/pods"
_SCRAPE = (
    "import sys, json, urllib.request as u; "
    "print(json.dumps([u.urlopen(f'http://{ip}:9153/metrics', timeout=5).read().decode() for ip in sys.argv[1:]]))"
)
_RESPONSE = re.compile(r'^coredns_dns_responses_total\{[^}]*rcode="(\w+)"[^}]*\} ([0-9.e+]+)', re.MULTILINE)


@dataclass(frozen=True)
class Responses:
    """How many responses of each code, since the name server began or since another look."""

    by_code: Counter[str]

    def __sub__(self, before: Responses) -> Responses:
        return Responses(self.by_code - before.by_code)

    @property
    def nothing(self) -> int:
        """Percent that said: no such name."""
        return round(100 * self.by_code["NXDOMAIN"] / max(1, self.by_code.total()))

    def __repr__(self) -> str:
        each = ", ".join(f"{code} {count}" for code, count in sorted(self.by_code.items()))
        return f"Responses({each or 'none'}: {self.nothing} % no such name)"


@dataclass(frozen=True)
class Unreadable:
    """Said where the counters cannot be read."""

    sentence: str = (
        f"{SKIPPED}This cluster does not show the counters of its name server (port 9153 of CoreDNS' pods) to a "
        "learner; the name server of this lesson counts the same questions."
    )

    def __sub__(self, before: object) -> Unreadable:
        return self

    def __repr__(self) -> str:
        return self.sentence


def responses(lab: Lab) -> Responses | Unreadable:
    """The counters of all pods of CoreDNS, added up."""
    try:
        pods = lab.api.request("GET", _PODS, {"labelSelector": "k8s-app=kube-dns"}).get("items") or []
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return Unreadable()
    addresses = [pod["status"]["podIP"] for pod in pods if (pod.get("status") or {}).get("podIP")]
    done = lab.exec(lab.client_name(), ["python3", "-IS", "-c", _SCRAPE, *addresses])
    if done.code != 0 or not addresses:
        return Unreadable()
    found: Counter[str] = Counter()
    for text in json.loads(done.stdout):
        for code, count in _RESPONSE.findall(text):
            found[code] += int(float(count))
    return Responses(found)
