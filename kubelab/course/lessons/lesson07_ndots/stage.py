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
from kubelab.lab.waiting import Seen, until

PACKAGE = "lesson07_ndots"
START_SECONDS = 180
SETTLE_SECONDS = 20
LOOKUP_SECONDS = 120
CLOUD = "zone-1.cloud.test"
"""An ending that a cloud's nodes would add."""
_COUNTS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9153/counts').read().decode())"


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
    return resolve_unsettled(lab, settled(lab, client), names, times, threads)


def resolve_unsettled(lab: Lab, pod: Pod, names: Iterable[str], times: int = 1, threads: int = 1) -> Resolved:
    """The same in a pod whose resolver may be such that it finds nothing."""
    return _resolve(lab, pod, list(names), times, threads, counted(lab, pod))[0]


def resolve_each(lab: Lab, client: str, names: Iterable[str]) -> dict[str, Resolved]:
    """The same for one name after the other, each with its own questions."""
    pod = settled(lab, client)
    found, counts = {}, counted(lab, pod)
    for name in names:
        found[name], counts = _resolve(lab, pod, [name], 1, 1, counts)
    return found


def _resolve(
    lab: Lab, pod: Pod, names: list[str], times: int, threads: int, before: Questions
) -> tuple[Resolved, Questions]:
    """What came of the names, and what has been counted by now."""
    job = {"names": names, "times": times, "threads": threads}
    argv = ["python3", "-IS", "-c", files.text(PACKAGE, "resolving.py"), json.dumps(job)]
    done = lab.exec(pod, argv, timeout=LOOKUP_SECONDS)
    if done.code != 0:
        raise LabError(f"Names cannot be looked up in {pod.alias}: {done.stderr.strip()[-200:] or 'it ended'}.")
    results, after = json.loads(done.stdout), counted(lab, pod)
    resolved = Resolved(
        {name: all(found for asked, found, _ in results if asked == name) for name in names},
        {name: tuple(seconds for asked, _, seconds in results if asked == name) for name in names},
        after.since(before),
    )
    return resolved, after


def settled(lab: Lab, client: str) -> Pod:
    """The workload's pod, once the name server answers it: rules follow a Service on each node, in a moment."""
    pod = running(lab, client)
    probe = ["python3", "-IS", "-c", files.text(PACKAGE, "resolving.py")]
    job = json.dumps({"names": ["ready.example.test."], "times": 1, "threads": 1})

    def look() -> Seen:
        done = lab.exec(pod, [*probe, job], timeout=LOOKUP_SECONDS)
        return Seen(done.code == 0 and json.loads(done.stdout)[0][1], "no answer")

    until(look, f"No name of the outside is found by {pod.alias}", SETTLE_SECONDS)
    return pod


def running(lab: Lab, client: str) -> Pod:
    """The pod of a workload. Raises `LabError`."""
    lab.wait(f"deployment/{client}", "available", timeout=START_SECONDS)
    return next(pod for pod in lab.pods(f"app={client}") if pod.ready and not pod.terminating)


def counted(lab: Lab, pod: Pod) -> Questions:
    """What the name server has counted of a pod so far. Raises `LabError`."""
    done = lab.exec(running(lab, "nameserver"), ["python3", "-IS", "-c", _COUNTS])
    if done.code != 0:
        raise LabError("The name server that counts does not answer; lab.pods() says whether it runs.")
    rows = json.loads(done.stdout)
    return Questions(tuple(Question(*row[1:]) for row in rows if row[0] == pod.ip))
