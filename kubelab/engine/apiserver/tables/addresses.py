"""The columns of ServiceCIDRs and IPAddresses."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import AGE, NAME, NONE, Column, TableOf


def _ip_address(obj: Object, now: float) -> list[Any]:
    parent = (obj.get("spec") or {}).get("parentRef")
    if not parent:
        return [obj["metadata"]["name"], NONE, c.age(obj, now)]
    resource = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part).lower()
    shown = "/".join(part for part in (resource, parent.get("namespace"), parent.get("name")) if part)
    return [obj["metadata"]["name"], shown, c.age(obj, now)]


ADDRESS_TABLES: dict[str, TableOf] = {
    "ServiceCIDR": TableOf(
        (NAME, Column("CIDRs", description="The ranges from which Services get their addresses."), AGE),
        lambda obj, now: [obj["metadata"]["name"], ",".join(obj["spec"].get("cidrs") or []), c.age(obj, now)],
    ),
    "IPAddress": TableOf((NAME, Column("ParentRef", description="The object that has the address."), AGE), _ip_address),
}
