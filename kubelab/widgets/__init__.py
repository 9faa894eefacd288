"""Faces of the lab in a notebook. Each has a text and an HTML form that stand without a browser."""

from __future__ import annotations

from kubelab.widgets.certificate_view import CertificateView
from kubelab.widgets.conntrack_view import ConntrackView
from kubelab.widgets.death_timeline import DeathTimeline
from kubelab.widgets.packet_walk import PacketWalk
from kubelab.widgets.prediction_form import PredictionForm
from kubelab.widgets.request_matrix import RequestMatrix
from kubelab.widgets.rotation_timeline import RotationTimeline
from kubelab.widgets.rule_explorer import RuleExplorer
from kubelab.widgets.traffic_probe import TrafficProbe
from kubelab.widgets.workshop_view import WorkshopView

__all__ = [
    "CertificateView",
    "ConntrackView",
    "DeathTimeline",
    "PacketWalk",
    "PredictionForm",
    "RequestMatrix",
    "RotationTimeline",
    "RuleExplorer",
    "TrafficProbe",
    "WorkshopView",
]
