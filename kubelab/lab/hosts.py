"""Host names below a host of one's own: whoever shares an ingress controller shares its hosts.

Every learner writes ``shop.example.test``; on somebody's cluster that is ``shop.example.test.ada.lab.example.test``,
and in what comes back it is ``shop.example.test`` again. A whole name gets an ending, so a wildcard stays one, and
stands for as many labels as before.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cached_property

from kubelab.lab.errors import LabError

LONGEST = 253
"""Characters of a DNS name (RFC 1035, section 2.3.4, as text)."""


class Hosts:
    """What the lesson's hosts are on the cluster."""

    def __init__(self, own: str = "") -> None:
        """``own``: the host below which all are; empty: they are as they are written."""
        self.own = own

    def __repr__(self) -> str:
        return f"Hosts({self.own})"

    def there(self, name: str) -> str:
        """A host of the lesson, ``*.`` in front or a port behind it or not, as the cluster knows it.

        Addresses and what is below the own host already stay as they are. Raises `LabError` for a name too long.
        """
        host, colon, port = name.partition(":")
        host = host.removesuffix(".")
        if not self.own or not host or _is_address(name) or f".{host.lower()}".endswith(f".{self.own}"):
            return name
        if len(host) + 1 + len(self.own) > LONGEST:
            raise LabError(
                f"{host} is too long here, where every host stands below {self.own}: together at most {LONGEST} "
                "characters; take a shorter one."
            )
        return f"{host}.{self.own}{colon}{port}"

    def back(self, text: str) -> str:
        """A text in which the cluster's names are the lesson's again."""
        return self._ending.sub("", text) if self.own and self.own in text.lower() else text

    @cached_property
    def _ending(self) -> re.Pattern[str]:
        return re.compile(rf"(?<=[a-z0-9])\.{re.escape(self.own)}(?![-a-z0-9]|\.[a-z0-9])", re.IGNORECASE)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition(":")[0] if text.count(":") == 1 else text.strip("[]"))
    except ValueError:
        return text.startswith("[")
    return True
