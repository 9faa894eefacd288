"""agnhost connect: one connection; says by one word what became of it (REFUSED, TIMEOUT, DNS, OTHER)."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence

from kubelab.engine.images.agnhost.flags import Flags, duration


def main(args: Sequence[str]) -> int:
    """Connect to ``host:port``; 0 when it worked."""
    flags = Flags("connect")
    flags.flag("timeout", "0", "Maximum time before returning an error")
    flags.flag("protocol", "tcp", "The protocol to use to perform the connection, can be tcp or udp")
    flags.flag("udp-data", "hostname", "The UDP payload sent to the server")
    flags.add_argument("target")
    options = flags.read(args)
    host, colon, port = options.target.rpartition(":")
    try:
        seconds = duration(options.timeout) or None
    except ValueError as error:
        return _fail(f"UNKNOWN: {error}")
    if not colon or not port.isdigit():
        return _fail(f"UNKNOWN: address {options.target}: missing port in address")
    if options.protocol not in ("", "tcp", "udp"):
        return _fail(f"Unsupported protocol {options.protocol}")
    kind = socket.SOCK_DGRAM if options.protocol == "udp" else socket.SOCK_STREAM
    try:
        address = socket.getaddrinfo(host.strip("[]"), int(port), 0, kind)[0]
    except socket.gaierror as error:
        return _fail(f"DNS: {error.strerror}")
    return _connect(address[0], kind, address[4], seconds, f"{options.udp_data}\n".encode())


def _connect(family: int, kind: int, address: tuple[object, ...], seconds: float | None, data: bytes) -> int:
    try:
        with socket.socket(family, kind) as connection:
            connection.settimeout(seconds)
            connection.connect(address)
            if kind == socket.SOCK_DGRAM:
                connection.send(data)
                if not connection.recv(1024):
                    return _fail("OTHER: No data received from the server.")
    except TimeoutError:
        return _fail("TIMEOUT")
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            return _fail("REFUSED")
        return _fail(f"OTHER: {os.strerror(error.errno or 0).lower()}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1
