"""Measure, and hold it against the marks. Nothing else should run meanwhile.

``python -m benchmarks`` for all, which takes some minutes, or one of its parts: ``daily`` (a cluster in daily life),
``api`` (the API server, and many pods), ``ingress`` (beside a plain Envoy), ``soak`` (the ingress while all around it
goes wrong), ``trace`` (the way of a packet explained), ``binder`` (a Binder session replayed), ``workshop`` (a class of
200 on one cluster), ``fuzz [REQUESTS [SEED]]`` (requests that nobody would write by hand), ``kill [TIMES [SEED]]`` (of
any of its processes), ``creep [ROUNDS]`` (what stays in memory when all has gone), ``sync [SERVICES …]`` (kube-proxy
with many Services) and ``first-packet [SERVICES …]`` (what these cost a connection). ``KUBELAB_TIER=user`` for a plain
user's network.
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import api, binder, creep, daily, first_packet, fuzz, ingress, kill, soak, sync, trace, workshop

WHOLE = {
    "daily": daily.main,
    "api": api.main,
    "ingress": ingress.main,
    "soak": soak.main,
    "trace": trace.main,
    "binder": binder.main,
    "workshop": workshop.main,
}
SIZED = {
    "fuzz": fuzz.main,
    "kill": kill.main,
    "creep": creep.main,
    "sync": sync.main,
    "first-packet": first_packet.main,
}


def main(part: str = "", *sizes: str) -> None:
    """Print a line for each measure as it comes. Raises SystemExit for words that it does not know."""
    if part not in ("", *WHOLE, *SIZED) or not all(map(str.isdecimal, sizes)) or (sizes and part not in SIZED):
        parts = " | ".join([*WHOLE, *(f"{name} [N ...]" for name in SIZED)])
        raise SystemExit(f"usage: python -m benchmarks [{parts}]")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"Linux {platform.release()}, {os.cpu_count()} processors, load {load}", flush=True)
    if sizes:
        return SIZED[part](tuple(map(int, sizes)))
    for name, measure in {**WHOLE, **SIZED}.items():
        if part in ("", name):
            measure()


main(*sys.argv[1:])
