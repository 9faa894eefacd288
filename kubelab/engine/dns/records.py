"""Questions, records and answers, free of their wire format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

TTL = 30
"""Seconds, as kubeadm's Corefile sets them."""


class Question(NamedTuple):
    """A name without its last dot, as asked, and a type: ``A``, ``AAAA``, ``SRV``, ``PTR`` …"""

    name: str
    type: str


class Srv(NamedTuple):
    """The data of an SRV record."""

    priority: int
    weight: int
    port: int
    target: str


class Soa(NamedTuple):
    """The data of an SOA record; times are seconds."""

    primary: str
    mailbox: str
    refresh: int = 7200
    retry: int = 1800
    expire: int = 86400
    minimum: int = TTL


class Record(NamedTuple):
    """One resource record of class IN. ``data`` is text (an address, a name, a string), `Srv` or `Soa`."""

    name: str
    type: str
    data: str | Srv | Soa
    ttl: int = TTL


@dataclass(frozen=True)
class Answer:
    """What the cluster's zones say. ``rcode`` is ``NOERROR`` or ``NXDOMAIN``."""

    rcode: str = "NOERROR"
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    chase: str = ""
    """A name outside the cluster to which the last CNAME leads: its records are to be asked for and appended."""
