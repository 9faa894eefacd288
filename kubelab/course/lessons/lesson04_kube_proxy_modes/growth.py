"""How many rules a node holds for how many Services, in each mode: counted in what kube-proxy would load."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, get_args

from kubelab.clusters.base import ProxyMode
from kubelab.course.lessons.lesson04_kube_proxy_modes.dummies import endpointslice, nobodys, service
from kubelab.engine import config
from kubelab.engine.proxy.text import rules_text
from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)
SIZES = (1, 500, 1000, 2000)

_RULES = {"iptables": r"^-A KUBE-", "nftables": r"^add rule ip kube-proxy ", "ipvs": r"^-A KUBE-"}
_ENTRIES = {
    "iptables": r"^(?!)",
    "nftables": r"^add element ip kube-proxy ",
    "ipvs": r"^(?:-[Aa] -[tu] |add KUBE-|address add )",
}
_ASKED = {
    "iptables": r"^-A KUBE-SERVICES .*-j KUBE-(?:SVC|NODEPORTS)",
    "nftables": r"^add rule ip kube-proxy services ",
    "ipvs": r"^-A KUBE-SERVICES ",
}
"""The rules that a first packet meets one after the other before it is known whose it is."""


class Count(NamedTuple):
    """What one node holds in one mode."""

    rules: int
    entries: int
    """In maps and sets, and IPVS's servers with their addresses: looked up, never walked."""
    asked: int
    """How many of the rules the first packet to the last Service meets until its Service is found."""


class Growth:
    """The counts for each number of Services; ``pods`` stand behind each of them. Nothing is loaded anywhere."""

    def __init__(self, pods: int = 3, sizes: Sequence[int] = SIZES) -> None:
        self.pods, self.sizes = pods, tuple(sizes)
        self.counts = {mode: tuple(count(mode, size, pods) for size in self.sizes) for mode in MODES}

    def rules_each(self, mode: ProxyMode) -> int:
        """How many rules one more Service brings."""
        first, last = self.counts[mode][0], self.counts[mode][-1]
        return (last.rules - first.rules) // (self.sizes[-1] - self.sizes[0])

    def plot(self) -> Figure:
        """A picture: all rules, and the rules that a first packet walks, against the number of Services."""
        import matplotlib.pyplot as plt

        figure, (whole, walked) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        for mode, colour, marker in zip(MODES, palette.COLOURS, "osD", strict=False):
            style = {"color": colour, "marker": marker, "label": mode}
            whole.plot(self.sizes, [count.rules for count in self.counts[mode]], **style)
            walked.plot(self.sizes, [count.asked for count in self.counts[mode]], **style)
        whole.set_title(f"rules on a node ({self.pods} pods each)", fontsize=10)
        walked.set_title("rules a first packet meets, at most", fontsize=10)
        for axes in (whole, walked):
            axes.set_xlabel("Services")
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter("{x:,.0f}")
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, fontsize=9)
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        head = f"{'Services':>10}" + "".join(f"{f'{mode}: rules':>18}{'entries':>9}{'asked':>7}" for mode in MODES)
        rows = (
            f"{size:>10,}" + "".join(f"{c.rules:>18,}{c.entries:>9,}{c.asked:>7,}" for c in counts)
            for size, counts in zip(self.sizes, zip(*self.counts.values(), strict=True), strict=True)
        )
        return "\n".join([head, *rows])


def count(mode: ProxyMode, services: int, pods: int) -> Count:
    """Compile that many Services with so many endpoints each, as kube-proxy 1.36 would, and count."""
    objects = {
        "services": [service(number) for number in range(services)],
        "endpointslices": [endpointslice(number, nobodys(number, pods)) for number in range(services)],
    }
    text = rules_text(mode, "node", objects, str(config.POD_CIDR), nfacct=False)
    return Count(*(len(re.findall(kind[mode], text, re.MULTILINE)) for kind in (_RULES, _ENTRIES, _ASKED)))
