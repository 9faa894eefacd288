"""What the servers have counted: requests and connections, asked of each pod itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubelab.lab.errors import CannotRun
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod
from kubelab.lab.probing import CLIENT_POD

_ASK = """
import json, sys, time, urllib.request
pods = [json.loads(urllib.request.urlopen(f"http://{end}/served", timeout=5).read()) for end in sys.argv[1:]]
print(json.dumps({"at": time.monotonic(), "peers": {pod["uid"]: pod["peers"] for pod in pods}}))
"""


@dataclass(frozen=True)
class Counted:
    """What pods (by UID) had answered at a moment (seconds, of a clock that only differences make sense of)."""

    at: float
    requests: Mapping[str, int]
    connections: Mapping[str, int]

    def since(self, before: Counted) -> Counted:
        """What came in between; ``at`` is then how long that took."""
        return Counted(
            self.at - before.at,
            {uid: count - before.requests.get(uid, 0) for uid, count in self.requests.items()},
            {uid: count - before.connections.get(uid, 0) for uid, count in self.connections.items()},
        )

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


def served(lab: Lab, pods: Iterable[Pod]) -> Counted:
    """The counters of these pods, whoever asked them; the lab's own client is left out. Raises `CannotRun`."""
    listed = list(pods)
    ends = [f"{pod.ip}:{pod.port}" for pod in listed]
    done = lab.exec(listed[0], ["python3", "-c", _ASK, *ends])
    if done.code != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CannotRun(f"The servers do not tell what they have counted: {last}")
    answer = json.loads(done.stdout)
    ours = lab.find_pod(CLIENT_POD)
    return counted(answer["at"], answer["peers"], ours.ip if ours else "")


def counted(at: float, peers: Mapping[str, Mapping[str, Mapping[str, int]]], without: str) -> Counted:
    """Sums up what each pod counted for each client's address, ``without`` one of them."""

    def sums(what: str) -> dict[str, int]:
        return {uid: sum(c[what] for peer, c in own.items() if peer != without) for uid, own in peers.items()}

    return Counted(at, sums("requests"), sums("connections"))
