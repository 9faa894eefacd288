"""The admission plugin ResourceQuota: every write is charged to the quotas that take it in, or refused.

What a quota has used is in its status. The charge is stored together with the object, and nothing else runs in
between: of two requests for the last unit one is refused. What is deleted is given back by the quota controller.
Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from datetime import UTC, datetime

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import forbidden
from kubelab.engine.apiserver.storage import ByNamespace, Stored, Write
from kubelab.engine.quantity import value
from kubelab.engine.quota import pods
from kubelab.engine.quota.amounts import Amounts, growth, only, plus, written
from kubelab.engine.quota.usage import belongs, names_for, usage

_FREE = (r.EVENTS, r.EVENTS_V1)


class Quotas:
    """The quotas of all namespaces."""

    def __init__(self, quotas: ByNamespace) -> None:
        self._quotas = quotas

    def charge(self, rtype: ResourceType, new: Object, now: float, old: Object | None = None) -> list[Write]:
        """What is to be stored along with the object. Raises a 403 Status when a quota has too little left.

        Only Services can come to use more after they were made. ``now``: seconds since the epoch.
        """
        quotas = self._quotas.of(new["metadata"].get("namespace", ""))
        if not quotas or rtype in _FREE or (old is not None and rtype is not r.SERVICES):
            return []
        time, resource, name = datetime.fromtimestamp(now, UTC), rtype.qualified, new["metadata"]["name"]
        uses, used_before = usage(resource, new, time), usage(resource, old, time) if old else {}
        charges: list[Write] = []
        for stored in quotas:
            if not belongs(stored.obj, resource, new):
                continue
            more = growth(uses, used_before)
            try:
                charged = _charged(stored, resource, new, more)
            except _Exceeded as refused:
                raise forbidden(rtype, name, str(refused)) from None
            if charged is not None:
                charges.append(charged)
        return charges


class _Exceeded(Exception):
    """The quota does not allow it; the message says why in upstream's words."""


def _charged(stored: Stored, resource: str, obj: Object, more: Amounts) -> Write | None:
    """The quota with the object's usage added; None when it does not count any of it."""
    status = stored.obj.get("status") or {}
    hard, used, quota = status.get("hard") or {}, status.get("used") or {}, stored.key[1]
    names = names_for(resource, hard)
    if not names:
        return None
    problem = pods.unspecified(obj, names) if resource == "pods" else ""
    if problem:
        raise _Exceeded(f"failed quota: {quota}: {problem}")
    if any(name not in used for name in names):
        raise _Exceeded(f"status unknown for quota: {quota}, resources: {','.join(sorted(names))}")
    asked = only(more, names)
    if not asked:
        return None
    then = plus(used, asked)
    over = [name for name in asked if value(then[name]) > value(hard[name])]
    if over:
        shown = (written(only(amounts, over)) for amounts in (asked, used, hard))
        raise _Exceeded("exceeded quota: {}, requested: {}, used: {}, limited: {}".format(quota, *shown))
    new = copy(stored.obj)
    new["status"]["used"] = then
    rtype = r.RESOURCEQUOTAS
    return Write(rtype.storage_key, stored.key, new, rtype.kind, rtype.api_version)
