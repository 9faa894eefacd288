"""Requests that are asked until a change is served, and requests that go on while something is changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kubelab.lab.entrance import entrance
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Requests, listed, measure

RATE = 60
"""Requests a second."""
BEFORE_SECONDS, AFTER_SECONDS = 0.6, 1.8


def ask(lab: Lab, *urls: str, via: str) -> Requests:
    """Ask for each URL once. What is not answered as the objects ask for is asked again for a while: it was applied a
    moment ago. Certificates are not looked at. Raises `LabError`."""
    return Requests(cell.reply for cell in measure(lab, listed(urls), {}, via=via, timeout=1).cells.values())


def while_asking(lab: Lab, url: str, at: str, do: Callable[[], object]) -> Requests:
    """Ask for ``url`` at the address of ``at``, 60 times a second, and meanwhile ``do`` something, once.

    ``at="ingress/shop"``: that Ingress's address, which is kept when the Ingress is gone, as clients keep it.
    The change comes after some requests were answered, and others follow for more than a second.
    """
    address = entrance(lab, via=at).address
    number = round(RATE * (BEFORE_SECONDS + AFTER_SECONDS))
    with ThreadPoolExecutor(max_workers=1) as pool:
        asking = pool.submit(lab.requests, url, n=number, rate=RATE, address=address)
        before = lab.requests(url, n=round(RATE * BEFORE_SECONDS / 2), address=address)
        do()
        return Requests([*before, *asking.result()])
