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
    serial: int = 1
    refresh: int = 7200
    retry: int = 1800
    expire: int = 86400
    minimum: int = TTL


Data = str | Srv | Soa
"""An address, a name or a text; or what has several fields."""


class Record(NamedTuple):
    """One resource record of class IN."""

    name: str
    type: str
    data: Data
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
