"""The client that runs in a pod or outside the cluster: real TLS handshakes, one JSON line for each.

Sent as text to a Python there (3.10 or later), so it knows the standard library only. ``job`` is put into its globals:
address, port, host (the name that the client wants), sni (the name that it says in its first message, or null), ca
(what it trusts, PEM), alpn (protocols that it offers), timeout (seconds), rate (handshakes a second until told to stop,
or null: one).

Every handshake verifies as a browser does, and OpenSSL's own verdict is told with the certificates on which it was
given: they are read from the connection even when the verdict has ended it. A line has ``fingerprint`` (SHA-256 of the
first certificate), and ``chain`` (base64 of DER) when that certificate is served for the first time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from typing import Any

HOSTNAME_MISMATCH = 62
"""X509_V_ERR_HOSTNAME_MISMATCH (openssl-verification-options(1))."""
AT_ONCE = 64


def trust(job: dict[str, Any]) -> ssl.SSLContext:
    """What the client asks for. OpenSSL compares the host only when it is also what is said in SNI."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = job["sni"] == job["host"]
    made.load_verify_locations(cadata=job["ca"])
    made.set_alpn_protocols(job["alpn"])
    return made


def covers(certificate: dict[str, Any], host: str) -> bool:
    """Whether a verified certificate is for this host: a name equals it, or all but its first label (RFC 9525)."""
    names = [value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    return host.lower() in names or "*." + host.lower().partition(".")[2] in names


def chain(peer: ssl.SSLSocket) -> list[bytes]:
    """The certificates as they were sent, DER. Python has a public way from 3.13 on."""
    if hasattr(peer, "get_unverified_chain"):
        return peer.get_unverified_chain() or []
    sent = peer._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in sent]


def no_handshake(error: OSError) -> str:
    """Why there was none, in words."""
    reason = (getattr(error, "reason", "") or "").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return "there is no such name"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "no answer in time"
    alert = re.fullmatch(r"(?:sslv3|tlsv1|tlsv13) (?:alert )?(.+)", reason)
    if alert:
        return f"the other side refused with the alert '{alert[1]}'"
    if "wrong version number" in reason or "http request" in reason:
        return "the other side does not speak TLS"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError)):
        return "the other side hung up"
    return reason or (error.strerror or str(error)).lower()


class Shaker:
    """Shakes hands as one job wants it."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.trust = trust(job)
        self.told: set[str] = set()
        self.writing = threading.Lock()
        self.began = time.monotonic()

    def shake(self) -> dict[str, Any]:
        """One new connection, one handshake. Raises OSError when there is none."""
        raw = socket.create_connection((self.job["address"], self.job["port"]), self.job["timeout"])
        with self.trust.wrap_socket(raw, server_hostname=self.job["sni"], do_handshake_on_connect=False) as peer:
            code, reason = 0, ""
            try:
                peer.do_handshake()
                if not self.trust.check_hostname and not covers(peer.getpeercert() or {}, self.job["host"]):
                    code, reason = HOSTNAME_MISMATCH, "Hostname mismatch"
            except ssl.SSLCertVerificationError as error:
                code, reason = error.verify_code, error.verify_message
            # A handshake that the verdict has ended has a cipher already, but no version yet.
            version = peer.version() or (peer.cipher() or ("", ""))[1]
            said = {"code": code, "reason": reason, "version": version, "alpn": peer.selected_alpn_protocol()}
            return {**said, "sent": chain(peer)}

    def report(self, number: int) -> None:
        """Shake hands and write the line."""
        start = time.monotonic()
        try:
            result = self.shake()
        except OSError as error:
            result = {"error": no_handshake(error)}
        line = {"n": number, "at": start - self.began, "seconds": time.monotonic() - start, **result}
        sent = line.pop("sent", [])
        with self.writing:
            if sent:
                line["fingerprint"] = hashlib.sha256(sent[0]).hexdigest()
                if line["fingerprint"] not in self.told:
                    self.told.add(line["fingerprint"])
                    line["chain"] = [base64.b64encode(each).decode() for each in sent]
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


def listen(stop: threading.Event) -> None:
    """Any line on standard input, or its end, is the order to stop."""
    os.read(0, 64)
    stop.set()


def at_a_rate(shaker: Shaker, rate: float, stop: threading.Event) -> None:
    """Handshakes start on the beat, even while earlier ones hang; at most 64 at once."""
    places = threading.Semaphore(AT_ONCE)

    def one(number: int) -> None:
        try:
            shaker.report(number)
        finally:
            places.release()

    number = 0
    while not stop.is_set():
        places.acquire()
        threading.Thread(target=one, args=(number,), daemon=True).start()
        number += 1
        stop.wait(max(0.0, shaker.began + number / rate - time.monotonic()))
    for _ in range(AT_ONCE):
        places.acquire(timeout=shaker.job["timeout"])


def run(job: dict[str, Any]) -> None:
    """Do the whole job."""
    shaker = Shaker(job)
    sys.stdout.write('{"began": true}\n')
    sys.stdout.flush()
    if job["rate"]:
        stop = threading.Event()
        threading.Thread(target=listen, args=(stop,), daemon=True).start()
        at_a_rate(shaker, job["rate"], stop)
    else:
        shaker.report(0)


run(job)  # type: ignore[name-defined]  # noqa: F821
