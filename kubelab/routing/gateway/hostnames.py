"""Host names of listeners and routes: what two of them have in common, and which covers which.

Here ``*.`` stands for one or more labels, and an empty name for all names.
"""

from __future__ import annotations

from kubelab.routing import hosts


def covers(wide: str, narrow: str) -> bool:
    """Whether every host of ``narrow`` is one of ``wide``."""
    if wide in ("", narrow):
        return True
    if narrow.startswith("*."):
        return wide.startswith("*.") and narrow[1:].endswith(wide[1:])
    return bool(narrow) and hosts.fits(wide, narrow, "any labels")


def common(listener: str, route: str) -> str | None:
    """The hosts for which a route is served on a listener; None when they have none in common."""
    if covers(listener, route):
        return route
    return listener if covers(route, listener) else None
