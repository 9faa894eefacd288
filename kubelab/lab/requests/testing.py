"""Requests without a network, for a lab in memory: answered as the objects ask for, by pods in turn and by weights."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from kubelab.lab.pods import workload
from kubelab.lab.requests.replies import Reply, Requests
from kubelab.lab.requests.sending import Asked
from kubelab.routing.decide import Decision, Share

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab
    from kubelab.lab.testing import FakeApi

_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole part, fill 0 to 1 evenly: so shares are kept from the first requests on."""


def answered(lab: Lab, api: FakeApi, asked: Asked) -> Requests:
    """What the controller would answer."""
    table, turns = lab.routing(), Counter[str]()
    replies = []
    for _ in range(asked.times):
        for url in asked.urls:
            full = url if "://" in url else f"http://{url}"
            decision = lab.decide(full, asked.method, dict(asked.headers), via=asked.via, at=table)
            turns[full] += 1
            replies.append(_reply(lab, api, full, asked, decision, turns[full]))
    return Requests(replies)


def _reply(lab: Lab, api: FakeApi, url: str, asked: Asked, decision: Decision, turn: int) -> Reply:
    verified = decision.certificate is not None if url.startswith("https:") else None
    why_not = "self-signed" if verified is False else ""
    if why_not and asked.verify:
        return Reply(url, asked.method, error="not trusted", verified=False, why_not=why_not)
    share = _drawn(decision, turn)
    if share.status is not None or share.service is None:
        headers = {"location": decision.location} if decision.location else {}
        return Reply(url, asked.method, share.status, headers=headers, verified=verified, why_not=why_not)
    pods = api.answering(share.service.namespace, share.service.service)
    if isinstance(pods, str) or not pods:
        return Reply(url, asked.method, 503, verified=verified, why_not=why_not)
    pod = pods[turn % len(pods)]
    lab.pods()  # numbers are given in the order of creation
    (alias,) = lab.aliases.view([pod])
    request = decision.request
    saw = {"path": request.target, "host": request.host, "method": request.method, "headers": dict(request.headers)}
    return Reply(
        url, asked.method, 200, pod=alias.alias, workload=workload(pod) or "", services=(share.words(lab.namespace),),
        saw=saw, verified=verified, why_not=why_not,
    )  # fmt: skip


def _drawn(decision: Decision, turn: int) -> Share:
    point, passed = turn * _GOLDEN % 1, 0.0
    for share in decision.shares:
        passed += share.share
        if point < passed:
            return share
    return decision.shares[-1]
