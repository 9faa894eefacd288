"""The kernel's virtual servers, read from what ``ipvsadm`` prints."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise

from kubelab.engine.proxy.ipvs.plan import Key, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.servers import Open, RealKey

_PROTOCOLS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}


def read_servers(saved: str) -> dict[Key, VirtualServer]:
    """From ``ipvsadm -S -n``. Services by firewall mark are nobody's here and left out."""
    found: dict[Key, VirtualServer] = {}
    for line in saved.splitlines():
        verb, *words = shlex.split(line)
        if not words or words[0] not in _PROTOCOLS:
            continue
        address, port = _address(words[1])
        key = (address, port, _PROTOCOLS[words[0]])
        options = dict(pairwise(words))
        if verb == "-A":
            persistence = int(options.get("-p", 0))
            found[key] = VirtualServer(*key, options.get("-s", "wlc"), persistence)
        elif verb == "-a" and key in found:
            real = RealServer(*_address(options["-r"]), int(options.get("-w", 1)))
            found[key] = replace(found[key], real_servers=(*found[key].real_servers, real))
    return found


def open_connections(listed: str) -> dict[RealKey, Open]:
    """From ``ipvsadm -L -n``."""
    found: dict[RealKey, Open] = {}
    virtual: Key | None = None
    for line in listed.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("TCP", "UDP", "SCTP"):
            address, port = _address(words[1])
            virtual = (address, port, words[0].lower())
        elif words[0] == "FWM":
            virtual = None
        elif words[0] == "->" and virtual and words[-1].isdigit():
            address, port = _address(words[1])
            found[RealKey(virtual, address, port)] = Open(int(words[-2]), int(words[-1]))
    return found


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)
