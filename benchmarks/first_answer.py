"""In a fresh process: a cluster from nothing to the first 200 through a ClusterIP with two ready pods.

Prints JSON: seconds from the start of this process to each milestone.
"""

from __future__ import annotations

import json
import sys
import time

BEGIN = time.perf_counter()
"""Python itself has taken about 10 ms when this is read."""


def main(name: str) -> None:
    from benchmarks.inside import run_in_node
    from benchmarks.manifests import NAMESPACE, web
    from kubelab.clusters import attach

    milestones = {}
    cluster = attach(name)
    milestones["up"] = time.perf_counter() - BEGIN
    import kubelab

    lab = kubelab.connect(NAMESPACE)
    lab.apply(web(2))
    lab.wait("deployment/web")
    milestones["two pods ready"] = time.perf_counter() - BEGIN
    address = lab.get("service/web")["spec"]["clusterIP"]
    run_in_node(cluster, 0, [f"{address}:80"])
    milestones["first 200"] = time.perf_counter() - BEGIN
    print(json.dumps(milestones))


main(sys.argv[1])
