"""Lesson 4, kube-proxy's three modes and their cost: one Service in three data structures, and what each costs."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson04_kube_proxy_modes import slope, switched
from kubelab.course.lessons.lesson04_kube_proxy_modes.behaviour import (
    LUCK,
    TURNS,
    at_localhost,
    at_unused_port,
    leftovers,
    picks,
)
from kubelab.course.lessons.lesson04_kube_proxy_modes.first_packet import first_packets
from kubelab.course.lessons.lesson04_kube_proxy_modes.growth import MODES, Growth
from kubelab.course.lessons.lesson04_kube_proxy_modes.slope import names, rules

__all__ = [
    "LESSON",
    "MODES",
    "Growth",
    "at_localhost",
    "at_unused_port",
    "first_packets",
    "leftovers",
    "names",
    "picks",
    "rules",
]


LESSON = Lesson(
    number=4,
    title="kube-proxy's three modes and their cost",
    package="lesson04_kube_proxy_modes",
    needs=frozenset({"switch proxy mode"}),
    questions=(
        Question(
            "4.iptables",
            "Mode iptables, three pods behind each Service: how many rules does one more Service bring?",
            high=100,
            unit="rules a Service",
        ),
        Question(
            "4.nftables",
            "Mode nftables, the same Services: how many rules does one more bring?",
            high=100,
            unit="rules a Service",
        ),
        Question(
            "4.open",
            "A client keeps one connection while all nodes switch to nftables: how many of its requests fail?",
            options=("none", "some", "all from then on"),
        ),
        Question(
            "4.localhost",
            "On a node, curl 127.0.0.1:nodePort: in how many of the three modes does the Service answer?",
            high=3,
            unit="of 3 modes",
        ),
        Question(
            "4.unused",
            "A port of the ClusterIP that the Service does not have: in how many modes is a client refused at once?",
            high=3,
            unit="of 3 modes",
        ),
        Question(
            "4.picks",
            "30 connections in mode ipvs, one after the other: how are they shared among three pods?",
            options=(TURNS, LUCK),
        ),
        slope.QUESTION,
    ),
    tasks=(slope.TASK, switched.TASK),
)
