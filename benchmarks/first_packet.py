"""What the first packet of a connection costs with so many Services, in each mode that this kernel has.

``python -m benchmarks first-packet [SERVICES …]``; ``KUBELAB_TIER=user`` for a plain user's network. The low end (5th
percentile) of many connects from a pod: to the Service that the rules name last, and to a pod without any Service.
"""

from __future__ import annotations

import asyncio

from benchmarks.measure import Measure
from kubelab.course.lessons.lesson04_kube_proxy_modes.first_packet import measured

SIZES = (1, 500, 1000, 2000, 5000)
TURNS = 1500


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Print a line for each mode and number of Services."""
    found = asyncio.run(measured(sizes, TURNS))
    for mode, costs in found.costs.items():
        for cost in costs:
            what = f"first packet, {mode}, last of {cost.services} Services"
            print(Measure(what, cost.last, "µs", detail=f"to the pod itself {cost.direct:.1f} µs"), flush=True)
    for note in found.notes:
        print(f"· {note}", flush=True)
