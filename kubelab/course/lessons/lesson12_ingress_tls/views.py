"""What there is to see beside a handshake: the controller's complaints, and where a certificate is in use."""

from __future__ import annotations

import time

from cryptography import x509

from kubelab.course import files
from kubelab.course.lessons.lesson12_ingress_tls.stage import PACKAGE, START_SECONDS
from kubelab.course.tables import Table
from kubelab.lab import waiting
from kubelab.lab.authority import fingerprint
from kubelab.lab.certificates import Certificate, ordinal
from kubelab.lab.errors import LabError
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod

TOLD_SECONDS = 20.0
"""How long an Event may take; it comes a moment after what is served."""
COPIED_SECONDS = 150.0
"""How long the file in a pod may stay old: the kubelet's period and its cache's, a minute each at most."""
KEEPERS_PORT = 8443


def complaints(lab: Lab, *secrets: str) -> Table:
    """What the ingress controller has to say of Secrets that it cannot serve; waits until it has of each of these."""
    deadline = time.monotonic() + TOLD_SECONDS
    while not all(any(secret in row[2] for row in _warnings(lab)) for secret in secrets):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return Table(("Ingress", "reason", "message"), tuple(_warnings(lab)))


def _warnings(lab: Lab) -> list[tuple[str, str, str]]:
    """Events stay for an hour: those about Ingresses that are gone are left out."""
    there = {each["metadata"]["uid"] for each in lab.find("ingresses")}
    found = {
        (each["involvedObject"]["name"], each["reason"], each["message"])
        for each in lab.find("events")
        if each.get("type") == "Warning" and each["involvedObject"].get("uid") in there
    }
    return sorted(found)


def start_keeper(lab: Lab, secret: str) -> None:
    """Start a pod that ends TLS by itself, with the certificate that is in ``secret`` now."""
    lab.apply(files.manifest(PACKAGE, "keeper", secret=secret))
    lab.wait("deployment/keeper", "available", timeout=START_SECONDS)


def keepers_handshake(lab: Lab, host: str) -> Handshake:
    """Shake hands with that pod, from a pod beside it: no ingress between."""
    return lab.tls(host, KEEPERS_PORT, address=_keeper(lab).ip, source=None)


def copies(lab: Lab, host: str, issued: Certificate) -> Table:
    """Where which certificate is: in the Secret, in the file of the keeper's pod, and in what clients are served.

    Waits until the file in the pod is the newest: a kubelet writes it anew, in its own time.
    """
    waiting.until(
        lambda: waiting.Seen(_file_in(lab) == issued.fingerprint, "it is an older one"),
        "The file in the keeper's pod is not the newest certificate",
        COPIED_SECONDS,
    )
    rows = (
        (f"in the Secret {issued.secret}", ordinal(issued.issue)),
        ("in the file that is mounted into the pod", _issue(lab, _file_in(lab))),
        ("served by the ingress", ordinal(lab.tls(host, until=issued).issue)),
        ("served by the pod", ordinal(keepers_handshake(lab, host).issue)),
    )
    return Table(("where", "issue"), rows)


def _issue(lab: Lab, served: str) -> str:
    entry = lab.authority.entry(served)
    return ordinal(entry.issue) if entry else "unknown"


def _file_in(lab: Lab) -> str:
    done = lab.exec(_keeper(lab), ["cat", "/tls/tls.crt"])
    return fingerprint(x509.load_pem_x509_certificate(done.stdout.encode()))


def _keeper(lab: Lab) -> Pod:
    for pod in lab.pods("app=keeper"):
        if pod.ready and not pod.terminating:
            return pod
    raise LabError("There is no keeper here; start_keeper(lab, SECRET) starts it.")
