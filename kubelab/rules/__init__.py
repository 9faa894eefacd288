"""Packet-filter rules as data: parse, change, print and evaluate. Standard library only.

``parse(text)`` reads ``iptables-save`` text; `Ruleset.restore`, `Ruleset.save` and `Ruleset.list` do what the programs
do; `walk` takes a packet through the rules.
"""

from kubelab.rules.errors import RestoreError
from kubelab.rules.model import Chain, Extension, Field, Match, Option, Rule, Table, Target
from kubelab.rules.packet import Hop, Memory, Packet, Verdict
from kubelab.rules.ruleset import Ruleset, parse
from kubelab.rules.walk import walk

__all__ = [
    "Chain",
    "Extension",
    "Field",
    "Hop",
    "Match",
    "Memory",
    "Option",
    "Packet",
    "RestoreError",
    "Rule",
    "Ruleset",
    "Table",
    "Target",
    "Verdict",
    "parse",
    "walk",
]
