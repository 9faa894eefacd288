"""Lesson 8, NodePort, LoadBalancer, traffic policies and the client's address."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies import even_and_known, local_share
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.crowds import place
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.inside import ask_inside
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.local_share import crowded_share
from kubelab.lab.entries import ask_nodes

__all__ = ["LESSON", "ask_inside", "ask_nodes", "crowded_share", "place"]

LESSON = Lesson(
    number=8,
    title="NodePort, LoadBalancer, traffic policies and the client's address",
    package="lesson08_nodeport_and_traffic_policies",
    needs=frozenset({"several nodes", "outside client"}),
    questions=(
        Question(
            "8.source",
            "A node port, externalTrafficPolicy: Cluster: whom do the servers take for their client?",
            options=("the client itself", "the node it came in by", "the pod's node"),
        ),
        Question(
            "8.nobody",
            "externalTrafficPolicy: Local; a request comes in by a node without a pod: what does the client see?",
            options=("answered", "refused", "timeout"),
        ),
        Question(
            "8.single",
            "externalTrafficPolicy: Local; equal traffic to the nodes: what part of the answers comes from the pod "
            "that has its node for itself?",
            high=100,
            unit="% of the answers",
        ),
        Question(
            "8.balancer",
            "Local, and a node without a pod: how many of 60 requests to the load balancer's address fail?",
            high=60,
            unit="of 60 requests",
        ),
        Question(
            "8.inside",
            "internalTrafficPolicy: Local; a pod calls the ClusterIP from a node without one of the Service's pods: "
            "what does it see?",
            options=("answered", "refused", "timeout"),
        ),
        Question(
            "8.prefer",
            "trafficDistribution: PreferSameNode; from that same node: how many of three pods answer 60 requests?",
            high=3,
            unit="of 3 pods",
        ),
        local_share.QUESTION,
    ),
    tasks=(local_share.TASK, even_and_known.TASK),
)
