"""The pod's ports of Gateways: port 80 of one Gateway and port 80 of another are two ports of one pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelab.routing.model import ObjectName

FIRST, LAST = 10000, 19999

GatewayPort = tuple[ObjectName, int]
"""A Gateway, and a port on which it listens."""


class Ports:
    """Keeps a Gateway's ports for as long as it lives; a new controller reads them from the Gateways' Services."""

    def __init__(self) -> None:
        self._given: dict[GatewayPort, int] = {}

    def give(self, wanted: Iterable[GatewayPort], written: Mapping[GatewayPort, int]) -> Mapping[GatewayPort, int]:
        """A port for each, as long as there are any; what is ``written`` in a Service counts."""
        listed = list(dict.fromkeys(wanted))
        found = {each: written[each] for each in listed if each in written}
        taken = set(written.values())
        for each in listed:
            if each not in found and self._given.get(each, LAST + 1) not in {*taken, LAST + 1}:
                found[each] = self._given[each]
                taken.add(found[each])
        free = (port for port in range(FIRST, LAST + 1) if port not in taken)
        found.update(zip((each for each in listed if each not in found), free, strict=False))
        self._given = found
        return found
