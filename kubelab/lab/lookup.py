"""What the cluster's name server says: a DNS answer as data.

Addresses differ from run to run, so a `Lookup` shows whose they are: ``Service web``, ``web-1``. The addresses
themselves are in ``addresses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import kinds, shell
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, LabError
from kubelab.lab.pods import Pod, natural

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

TYPES = ("A", "AAAA", "SRV", "CNAME", "PTR", "TXT", "NS", "SOA")
NO_ANSWER = "no answer"
QUESTION_SECONDS = 2.0
"""How long one question may take; a resolver's own default is 5 s (resolv.conf(5))."""
_LIMIT_SECONDS = 60.0
_PROGRAM = "lookup_program.py"


class Record(NamedTuple):
    """One record of an answer. ``ttl`` in seconds; ``data`` as zone files write it."""

    name: str
    type: str
    ttl: int
    data: str


class Tried(NamedTuple):
    """One question: the full name that was asked for, and how it was answered."""

    name: str
    code: str
    """``NOERROR``, ``NXDOMAIN``, ``SERVFAIL`` … (RFC 1035, section 4.1.1), or ``no answer``."""


@dataclass(frozen=True)
class Lookup:
    """What became of one name."""

    name: str
    """As it was given."""
    type: str
    tried: tuple[Tried, ...]
    """Every question, in their order: a short name is tried with one search domain after the other."""
    records: tuple[Record, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Address → whose it is, as far as that is known."""

    @property
    def code(self) -> str:
        """How it ended: ``NOERROR``, ``NXDOMAIN``, ``SERVFAIL``, ``no answer``.

        A name that exists somewhere on the search list, but without such a record, is NOERROR all the same.
        """
        codes = [tried.code for tried in self.tried]
        if NO_ANSWER in codes or not codes:
            return NO_ANSWER
        return "NOERROR" if "NOERROR" in codes else codes[-1]

    @property
    def found(self) -> bool:
        """Whether there is such a record."""
        return bool(self.records)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses in the answer."""
        return tuple(record.data for record in self.records if record.type in ("A", "AAAA"))

    @property
    def who(self) -> tuple[str, ...]:
        """What the records say, addresses by the name of their owners, sorted."""
        return tuple(sorted({self.owners.get(record.data, record.data) for record in self.records}, key=natural))

    @property
    def sentence(self) -> str:
        """``NXDOMAIN``, ``Service web``, ``web-1, web-2``, ``NOERROR, but no A record``."""
        if self.records:
            return ", ".join(self.who)
        return f"NOERROR, but no {self.type} record" if self.code == "NOERROR" else self.code

    def __bool__(self) -> bool:
        return self.found

    def __repr__(self) -> str:
        return f"Lookup({self.name} {self.type}: {self.sentence})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align: left'><code>{escape(tried.name)}</code></td>"
            f"<td style='text-align: left'>{escape(self._verdict(index))}</td></tr>"
            for index, tried in enumerate(self.tried)
        )
        return (
            f"<div><b>{escape(self.name)} {escape(self.type)}</b>: {escape(self.sentence)}</div>"
            "<table><thead><tr><th style='text-align: left'>asked for</th><th style='text-align: left'>answer</th>"
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _verdict(self, index: int) -> str:
        """The records come from the last question."""
        return self.sentence if self.records and index == len(self.tried) - 1 else self.tried[index].code


def lookup(lab: Lab, name: str, type_: str = "A", source: str | Pod | None = None) -> Lookup:
    """Ask the name server of a pod, the lab's own client when ``source`` is left out. Raises `LabError`."""
    if type_.upper() not in TYPES:
        raise LabError(f"{type_!r} is no record type that can be looked up; there are {', '.join(TYPES)}.")
    _check(name)
    job = {"name": name, "type": type_.upper(), "timeout": QUESTION_SECONDS}
    client = shell.start_client(lab.api, lab.namespace, lab.client_name(source), job, _PROGRAM)
    results = list(client.results(_LIMIT_SECONDS))
    tried = tuple(Tried(result["name"], result["code"]) for result in results)
    records = tuple(Record(**record) for result in results for record in result["records"])
    return Lookup(name, type_.upper(), tried, records, _owners(lab) if records else {})


def _check(name: str) -> None:
    labels = name.removesuffix(".").split(".")
    if not name.isascii() or not all(0 < len(label) <= 63 for label in labels) or len(name) > 253:
        raise LabError(f"{name!r} is no DNS name: labels of 1 to 63 ASCII characters, with dots between them.")


def _owners(lab: Lab) -> dict[str, str]:
    listed, all_of_them = _services(lab)
    services = {
        address: f"Service {service['metadata']['name']}"
        for service in listed
        for address in service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP", "")]
    }
    if not all_of_them:
        services[_api_address(lab)] = "Service kubernetes"
    return services | {pod.ip: pod.alias for pod in lab.pods() if pod.ip}


def _services(lab: Lab) -> tuple[list[Object], bool]:
    """Those of all namespaces, and True; of the lab's own where no more may be seen."""
    try:
        return list(lab.api.request("GET", kinds.SERVICE._replace(namespaced=False).path("")).get("items") or ()), True
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return lab.objects.find(kinds.SERVICE), False


def _api_address(lab: Lab) -> str:
    """Of the one Service that every pod is told of, also where it may not be seen.

    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return lab.exec(lab.client_name(), ["printenv", "KUBERNETES_SERVICE_HOST"]).stdout.strip()
