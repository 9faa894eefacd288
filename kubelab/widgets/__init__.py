"""Faces of the lab in a notebook. Each has a text and an HTML form that stand without a browser."""

from __future__ import annotations

from kubelab.widgets.conntrack_view import ConntrackView
from kubelab.widgets.packet_walk import PacketWalk
from kubelab.widgets.rule_explorer import RuleExplorer
from kubelab.widgets.traffic_probe import TrafficProbe

__all__ = ["ConntrackView", "PacketWalk", "RuleExplorer", "TrafficProbe"]
