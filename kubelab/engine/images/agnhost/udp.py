"""netexec's UDP server: ``hostname``, ``echo <text>``, ``clientip``."""

from __future__ import annotations

import socket
import threading

from kubelab.engine.images.agnhost.flags import log


def start(address: str, port: int) -> socket.socket:
    """Bind, and answer in a thread of its own."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, port))
    threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    return listener


def _serve(listener: socket.socket) -> None:
    while True:
        data, client = listener.recvfrom(2048)
        answer = reply(data, f"{client[0]}:{client[1]}")
        if answer is not None:
            listener.sendto(answer, client)


def reply(data: bytes, client: str) -> bytes | None:
    """The answer to one datagram; None for a command that there is not."""
    text = data.decode(errors="replace").strip().lower()
    if text == "hostname":
        name = socket.gethostname()
        log("Sending udp hostName response", f"hostname: {name}")
        return name.encode()
    if text.startswith("echo "):
        words = text.split(" ", 1)[1]
        log(f"Echoing {words} to UDP client {client}")
        return words.encode()
    if text == "clientip":
        log(f"Sending clientip back to UDP client {client}")
        return client.encode()
    if text:
        log(f"Unknown UDP command received from {client}: {text}")
    return None
