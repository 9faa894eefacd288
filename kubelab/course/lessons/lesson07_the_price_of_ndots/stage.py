"""The name server that counts, the workloads that ask it, and what it counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.course import files
from kubelab.course.tables import Table
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod

PACKAGE = "lesson07_the_price_of_ndots"
START_SECONDS = 180
SETTLE_SECONDS = 20
LOOKUP_SECONDS = 120
SETTLED = "ready.example.test."
"""Found by every pod that asks the name server that counts."""
CLOUD = "zone-1.cloud.test"
"""An ending that a cloud's nodes would add."""


class Question(NamedTuple):
    """One question, and how often it was asked."""

    name: str
    type: str
    code: str
    times: int


@dataclass(frozen=True)
class Questions:
    """What the name server was asked by one pod, in the order of the first time."""

    all: tuple[Question, ...]

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(question.times for question in self.all)

    @property
    def names(self) -> tuple[str, ...]:
        """The full names, each once."""
        return tuple(dict.fromkeys(question.name for question in self.all))

    def since(self, before: Questions) -> Questions:
        """Those that came after ``before`` was counted."""
        had = {each[:3]: each.times for each in before.all}
        new = (each._replace(times=each.times - had.get(each[:3], 0)) for each in self.all)
        return Questions(tuple(each for each in new if each.times))

    @property
    def table(self) -> Table:
        """A row a name: its types, how the answers were coded, how many questions."""
        rows = []
        for name in self.names:
            own = [question for question in self.all if question.name == name]
            types, codes = ({getattr(each, field) for each in own} for field in ("type", "code"))
            rows.append((name, " and ".join(sorted(types)), " or ".join(sorted(codes)), str(sum(q.times for q in own))))
        return Table(("asked for", "type", "code", "questions"), tuple(rows))

    def __repr__(self) -> str:
        return f"{self.total} questions\n{self.table!r}"

    def _repr_html_(self) -> str:
        return f"<div><b>{self.total} questions</b></div>{self.table._repr_html_()}"


@dataclass(frozen=True)
class Resolved:
    """Names that were looked up by a pod's own resolver, and what that cost."""

    found: dict[str, bool]
    """Name → whether every look-up of it was answered with an address."""
    seconds: dict[str, tuple[float, ...]]
    """Name → how long each look-up took."""
    questions: Questions


def name_server(lab: Lab) -> str:
    """Start the name server that counts; its address."""
    lab.apply(files.manifest(PACKAGE, "nameserver"))
    lab.wait("deployment/nameserver", "available", timeout=START_SECONDS)
    return str(lab.get("service/nameserver")["spec"]["clusterIP"])


def searches(lab: Lab, *more: str) -> str:
    """The endings that kubelet writes for a pod of this namespace, and others behind them."""
    return ", ".join([f"{lab.namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local", *more])


def client(lab: Lab, name: str, server: str, *, ndots: int = 5, endings: Sequence[str] = (), **names: str) -> None:
    """Apply a workload that asks ``server``. It is not waited for; `resolve` does that."""
    chosen = {"partner": "", "shop": "", **names}
    values = {"client": name, "name_server": server, "ndots": ndots, "searches": searches(lab, *endings), **chosen}
    lab.apply(files.manifest(PACKAGE, "client", **values))


def resolve(lab: Lab, client: str, names: Iterable[str], times: int = 1, threads: int = 1) -> Resolved:
    """Look names up in a workload's pod, with the C library's resolver there. Raises `LabError`."""
    chosen = list(names)
    each = _resolve(lab, client, chosen, times, threads, SETTLED)
    found = {name: one.found[name] for name, one in each.items()}
    seconds = {name: one.seconds[name] for name, one in each.items()}
    return Resolved(
        found, seconds, Questions(tuple(question for one in each.values() for question in one.questions.all))
    )


def resolve_each(lab: Lab, client: str, names: Iterable[str], times: int = 1, threads: int = 1) -> dict[str, Resolved]:
    """The same, and which questions each name made; one name after the other. Raises `LabError`."""
    return _resolve(lab, client, list(names), times, threads, SETTLED)


def resolve_at_once(lab: Lab, client: str, name: str, times: int = 1, threads: int = 1) -> Resolved:
    """One name, in a pod whose resolver may be such that it finds nothing outside. Raises `LabError`."""
    return _resolve(lab, client, [name], times, threads, "")[name]


def settled(lab: Lab, client: str) -> None:
    """Wait until a workload's pod is answered: rules follow a Service on each node, in a moment. Raises `LabError`."""
    _resolve(lab, client, [], 1, 1, SETTLED)


def _resolve(lab: Lab, client: str, names: list[str], times: int, threads: int, first: str) -> dict[str, Resolved]:
    pod, server = running(lab, client), lab.get("service/nameserver")["spec"]["clusterIP"]
    job = {
        "names": names,
        "times": times,
        "threads": threads,
        "counts": f"http://{server}:9153/counts",
        "settle": first,
        "patience": SETTLE_SECONDS,
    }
    argv = ["python3", "-IS", "-c", files.text(PACKAGE, "resolving.py"), json.dumps(job)]
    done = lab.exec(pod, argv, timeout=LOOKUP_SECONDS)
    if done.code != 0:
        raise LabError(f"Names cannot be looked up in {pod.alias}: {_last_line(done.stderr)}.")
    told = json.loads(done.stdout)
    counts = [_of(pod, rows) for rows in told["counts"]]
    return {
        name: Resolved(
            {name: all(found for asked, found, _ in told["results"] if asked == name)},
            {name: tuple(seconds for asked, _, seconds in told["results"] if asked == name)},
            after.since(before),
        )
        for name, before, after in zip(names, counts, counts[1:], strict=False)
    }


def running(lab: Lab, client: str) -> Pod:
    """The pod of a workload. Raises `LabError`."""
    lab.wait(f"deployment/{client}", "available", timeout=START_SECONDS)
    return next(pod for pod in lab.pods(f"app={client}") if pod.ready and not pod.terminating)


def _of(pod: Pod, rows: list[list[str]]) -> Questions:
    """What one pod asked."""
    return Questions(
        tuple(Question(name, type_, code, int(times)) for ip, name, type_, code, times in rows if ip == pod.ip)
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["the program ended"])[-1]
