"""Lesson 3, ClusterIP in iptables: every hop of a packet to a Service, and the table and chain that act on it."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson03_the_packet_through_iptables import one_endpoint, whole_service
from kubelab.course.lessons.lesson03_the_packet_through_iptables.answers import answer
from kubelab.course.lessons.lesson03_the_packet_through_iptables.draws import Picks, draws
from kubelab.course.lessons.lesson03_the_packet_through_iptables.experiments import (
    chains,
    changed,
    client_node,
    heard,
    kernels_word,
    refusing_rule,
    saved,
    seen_by_servers,
)
from kubelab.course.lessons.lesson03_the_packet_through_iptables.stage import set_up
from kubelab.course.lessons.lesson03_the_packet_through_iptables.way import hop_table

__all__ = [
    "LESSON",
    "Picks",
    "answer",
    "chains",
    "changed",
    "client_node",
    "draws",
    "heard",
    "hop_table",
    "kernels_word",
    "refusing_rule",
    "saved",
    "seen_by_servers",
    "set_up",
]

LESSON = Lesson(
    number=3,
    title="What happens to a packet: ClusterIP in iptables",
    package="lesson03_the_packet_through_iptables",
    needs=frozenset({"node shell"}),
    questions=(
        Question(
            "3.changes",
            "From the client to the server: which addresses of the packet are changed on the way?",
            options=("none", "the destination", "the source", "both"),
        ),
        Question(
            "3.peer",
            "Whom does the server take for its client?",
            options=("the client pod", "the client's node", "the Service"),
        ),
        Question(
            "3.counted",
            "50 requests over one connection: by how much do the counters of the DNAT rules rise, all together?",
            high=200,
            unit="in all",
        ),
        one_endpoint.QUESTION,
    ),
    tasks=(one_endpoint.TASK, whole_service.TASK),
)
