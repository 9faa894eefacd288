"""What the checks have in common: handshakes that get their moment, and words for what a client got instead."""

from __future__ import annotations

import time
from collections.abc import Callable

from kubelab.grading import Evidence
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab

SETTLED_SECONDS = 5.0
"""How long what was applied a moment ago may take until it is served."""
WEEK = 7
"""Days for which a certificate has to be good from now on."""
_ADVICE = {
    "expired": "Whoever waits for the next release to renew it has customers who cannot wait.",
    "not yet valid": "From when on is it valid?",
    "self-signed": "Everybody can vouch for himself. Whose word do the clients take?",
    "unknown issuer": "Whose word do the clients take?",
    "hostname mismatch": "For which names is it? A client compares them with the one that it wanted, label by label.",
    "the intermediate certificate is missing": "A client knows the root only. Who tells it of what stands between?",
}


def shake(lab: Lab, host: str, good: Callable[[Handshake], bool]) -> Handshake:
    """Shake hands until it is good, or served is what the Ingresses ask for: what was applied is served a moment later.

    Where that cannot be served (a key that does not fit) the time comes to an end.
    """
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        shaken = lab.tls(host)
        if good(shaken) or _as_asked(lab, host, shaken) or time.monotonic() > deadline:
            return shaken
        time.sleep(0.2)


def _as_asked(lab: Lab, host: str, shaken: Handshake) -> bool:
    """Whether served is what the Secret that is asked for holds now; the default certificate, when none is."""
    listeners = [each for entrance in lab.routing().entrances if entrance.tls for each in entrance.listeners]
    asked = [certificate for listener in listeners for certificate in listener.certificates]
    star = f"*.{host.partition('.')[2]}"
    wanted = next((each for name in (host, star) for each in asked if name in each.names), None)
    if wanted is None:
        return shaken.owner.default
    return wanted.secret.namespace == lab.namespace and shaken.secret == wanted.secret.name


def lasting(shaken: Handshake) -> bool:
    """Whether it is a Secret's certificate, good for a week from now."""
    return shaken.served and not shaken.owner.default and shaken.days_left > WEEK


def seen(shaken: Handshake) -> str:
    """What a client got, in one clause."""
    return f"a client got {shaken.owner}, {_verdict(shaken)}" if shaken.served else f"no handshake: {shaken.error}"


def told(shaken: Handshake, wanted: str, good: bool) -> Evidence:
    """One line: what was served for a name, and what should have been."""
    more = "" if good else f"; wanted is {wanted}"
    return Evidence(f"{shaken.host}: {shaken.sentence}{more}", good)


def advice(shaken: Handshake) -> str:
    """Where to look, never what to write."""
    if not shaken.served:
        return "Does anything listen at port 443, and is the ingress controller well?"
    if shaken.owner.default:
        return (
            "The ingress had nothing for this name. Which names does the Ingress list, which Secret does it ask for, "
            "and in which namespace is that? complaints(lab) shows what the controller says."
        )
    return _ADVICE.get(shaken.why_not, "CertificateView(lab, HOST) shows what is served.")


def _verdict(shaken: Handshake) -> str:
    return "verified" if shaken.verified else f"not verified: {shaken.why_not}"
