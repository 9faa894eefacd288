"""What happens to a packet: text of a cluster's tools in, hops out.

`picture` takes what ``iptables-save``, ``nft list ruleset``, ``ip route``, ``ip addr`` and ``conntrack -L`` printed on
each node, `trace` follows a packet through it. Nothing here talks to a cluster: the texts may come from anywhere.
"""

from kubelab.trace.ask import trace
from kubelab.trace.conntrack import Flow, read_conntrack, read_flow
from kubelab.trace.errors import CannotRead, CannotTrace
from kubelab.trace.followed import Followed
from kubelab.trace.hops import Hop
from kubelab.trace.naming import Names, names_of
from kubelab.trace.outcome import Outcome, Trace
from kubelab.trace.packet import Header
from kubelab.trace.places import Picture, Place, Pod, picture

__all__ = [
    "CannotRead",
    "CannotTrace",
    "Flow",
    "Followed",
    "Header",
    "Hop",
    "Names",
    "Outcome",
    "Picture",
    "Place",
    "Pod",
    "Trace",
    "names_of",
    "picture",
    "read_conntrack",
    "read_flow",
    "trace",
]
