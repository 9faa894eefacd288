"""Rollouts under load: what clients get while every pod is replaced, and how each of the old ones came to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.course.tables import Table
from kubelab.lab import kinds, waiting
from kubelab.lab.lab import Lab
from kubelab.lab.lifelines import PodLifelines
from kubelab.lab.probing import CLIENT_POD
from kubelab.lab.traffic import Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEW, KEPT = "new connections", "kept connections"
"""The two clients: one connects anew for every request, one keeps its connections."""
CONNECTIONS = 4
RATE = 100
LEAST_RATE = 10
"""Requests a second at the least: then a kept connection is used every half second, and hears of a goodbye in time."""
BUSY_SHARE = 0.3
SLOW_SECONDS = 1.0
"""On a machine where one answer in ten takes so long, nothing is to be blamed on a rollout."""
BUSY = f"This machine is too busy: one answer in ten took more than {SLOW_SECONDS:g} s."
REST = "Close what else runs and check again."
PATIENCE_SECONDS = 10.0
"""A client gives up after that: a busy machine is no failed request."""
LEAVING_SECONDS = 20.0
FATES = ("no request failed", "some requests failed")
HEAD = ("app", "preStop", "on SIGTERM", NEW, KEPT, "how pods ended")


def fresh_client(lab: Lab) -> None:
    """Another client pod, at another address.

    Nodes remember for two minutes the connections that were begun and never answered (lesson 9). A client that comes
    back to the same source port would be sent after a pod that died in the experiment before.
    """
    lab.delete(f"pod/{CLIENT_POD}", grace_seconds=0)
    lab.wait(f"pod/{CLIENT_POD}", "deleted")
    lab.client_name()


def easy_rate(lab: Lab, service: str, most: float = RATE) -> float:
    """Requests a second that this machine answers easily: with one after the other it would be busy a third of the
    time. A machine that is busy already would fail requests by itself.
    """
    latencies = lab.probe(address(lab, service), n=20, timeout=PATIENCE_SECONDS).latencies
    return max(LEAST_RATE, min(most, BUSY_SHARE * len(latencies) / sum(latencies))) if latencies else LEAST_RATE


def too_slow(record: PodLifelines) -> bool:
    """Whether answers took so long that probes and rules cannot have been in time either."""
    latencies = sorted(seconds for got in record.traffic.values() for seconds in got.latencies)
    return bool(latencies) and latencies[len(latencies) * 9 // 10] > SLOW_SECONDS


def roll(lab: Lab, app: str, service: str = "", rate: float = RATE) -> PodLifelines:
    """Replace all pods of an app while both clients send requests to its Service (of the same name if left out)."""
    with watch(lab, app, service, rate) as record:
        lab.restart(f"deployment/{app}")
    return record


def watch(lab: Lab, app: str, service: str = "", rate: float = RATE) -> PodLifelines:
    """The record of an app's pods and of both clients, for a ``with`` block; ``rate``: of each, at the most."""
    name = service or app
    rate = easy_rate(lab, name, rate)
    target = address(lab, name)
    clients, kept = {NEW: target, KEPT: target}, {KEPT: CONNECTIONS}
    return lab.watch_pods(f"app={app}", clients, rate=rate, kept=kept, timeout=PATIENCE_SECONDS, service=name)


def address(lab: Lab, service: str) -> str:
    """A Service's own address and port: requests there fail by what is between the client and the pods, not by DNS."""
    spec = lab.get(f"service/{service}")["spec"]
    return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"


def roll_each(lab: Lab, *names: str, rate: float = 40) -> dict[str, PodLifelines]:
    """Several apps, one after the other."""
    return {name: roll(lab, name, rate=rate) for name in names}


def fate(record: PodLifelines, client: str = NEW) -> str:
    """One of `FATES`."""
    return FATES[record.failed(client) > 0]


def compared(lab: Lab, records: Mapping[str, PodLifelines]) -> Table:
    """What was rolled out, and what came of it."""
    return Table(HEAD, tuple(_row(lab, app, record) for app, record in records.items()))


def _row(lab: Lab, app: str, record: PodLifelines) -> tuple[str, ...]:
    first = lab.objects.get(kinds.DEPLOYMENT, app)["spec"]["template"]["spec"]["containers"][0]
    asleep = ((first.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    does = next((each["value"] for each in first["env"] if each["name"] == "ON_SIGTERM"), "")
    killed = any(death.killed for death in record.deaths)
    words = ("none failed", "some failed")
    return (
        app,
        f"{asleep['seconds']} s" if asleep else "none",
        does,
        *(words[record.failed(client) > 0] for client in (NEW, KEPT)),
        "SIGKILL" if killed else "by themselves",
    )


@dataclass(frozen=True)
class FailuresByPreStop:
    """How many requests over new connections failed in a rollout, by the seconds that preStop slept."""

    failed: Mapping[int, int]

    @property
    def sentence(self) -> str:
        """What is the same on every run: the two ends. How much one second saves, chance has a part in."""
        ends = (min(self.failed), max(self.failed))
        return "; ".join(f"{_pause(each)}: {FATES[self.failed[each] > 0]}" for each in ends)

    def plot(self) -> Figure:
        """A picture: failures over seconds."""
        import matplotlib.pyplot as plt
        from matplotlib.ticker import MaxNLocator

        from kubelab.lab import palette

        figure, axes = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
        seconds, counts = list(self.failed), list(self.failed.values())
        axes.plot(seconds, counts, color=palette.BAD, marker="x", markersize=8)
        for at, count in self.failed.items():
            axes.annotate(f" {count}", (at, count), xytext=(2, 5), textcoords="offset points")
        axes.set_xticks(seconds, [_pause(each) for each in seconds])
        axes.set_ylim(bottom=0, top=max(*counts, 1) * 1.25)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("failed requests")
        axes.spines[["top", "right"]].set_visible(False)
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        return f"FailuresByPreStop({self.sentence})"


def failures_by_pre_stop(lab: Lab, apps: Mapping[int, str], rate: float = RATE) -> FailuresByPreStop:
    """Roll out one app after the other, each with one client; ``apps``: seconds that preStop sleeps → name, ``rate``:
    the client's requests a second, at the most.
    """
    failed = {}
    for seconds, app in apps.items():
        client, easy = {NEW: address(lab, app)}, easy_rate(lab, app, rate)
        with lab.watch_pods(f"app={app}", client, rate=easy, timeout=PATIENCE_SECONDS) as record:
            lab.restart(f"deployment/{app}")
        failed[seconds] = record.failed(NEW)
    return FailuresByPreStop(failed)


def _pause(seconds: int) -> str:
    return f"preStop {seconds} s" if seconds else "no preStop"


def last_answers(lab: Lab, app: str) -> Traffic:
    """What new connections get when all of an app's pods are on their way out and serve on."""
    lab.objects.patch(kinds.DEPLOYMENT, app, {"spec": {"replicas": 0}})

    def look() -> waiting.Seen:
        found = lab.endpoints(app)
        leaving = bool(found.all) and all(each.terminating for each in found.all)
        return waiting.Seen(leaving, found.sentence)

    waiting.until(look, f"The endpoints of {app} are not all terminating", LEAVING_SECONDS)
    return lab.probe(address(lab, app), n=10, timeout=PATIENCE_SECONDS)
