"""Lesson 12, Ingress with TLS: which certificate is served for which name, what clients make of it, and rotation."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson12_ingress_tls import diagnosis, matrix, rotation, stage, two_hosts
from kubelab.course.lessons.lesson12_ingress_tls.answers import CAUSES, answer
from kubelab.course.lessons.lesson12_ingress_tls.matrix import all_names, measure
from kubelab.course.lessons.lesson12_ingress_tls.stage import ingress, set_up
from kubelab.course.lessons.lesson12_ingress_tls.views import complaints, copies, start_keeper

__all__ = [
    "CAUSES",
    "LESSON",
    "all_names",
    "answer",
    "complaints",
    "copies",
    "ingress",
    "measure",
    "set_up",
    "start_keeper",
]

MISTAKES = 5

LESSON = Lesson(
    number=12,
    title="Ingress: TLS",
    package=stage.PACKAGE,
    needs=frozenset({"ingress"}),
    questions=(
        Question(
            "12.before",
            "An Ingress names a Secret that does not exist yet: what does a client get at port 443?",
            options=("refused", "no handshake", "the default certificate"),
        ),
        Question(
            "12.redirect",
            "The host has a certificate; a client asks for http:// all the same: what does it get?",
            options=("the app's answer", "a redirect to https", "404", "refused"),
        ),
        *(row.question for row in matrix.ROWS),
        Question(
            "12.mistakes",
            "Five certificates with a mistake in each: how many of them does the ingress refuse to serve?",
            high=MISTAKES,
            unit=f"of {MISTAKES} certificates",
        ),
        Question(
            "12.key",
            "A certificate that is served is replaced by one whose private key is another's: what do new clients get?",
            options=("the certificate from before", "the default certificate", "no handshake"),
        ),
        Question(
            "12.rotated",
            "50 new connections a second, and the Secret gets a new certificate: how many handshakes fail?",
            high=1000,
            unit="failed handshakes",
        ),
        Question(
            "12.deleted",
            "The same, but the Secret is deleted and then made anew: what do clients get in between?",
            options=("the certificate from before", "the default certificate", "no handshake"),
        ),
        Question(
            "12.mounted",
            "A server in a pod has read its certificate from a mounted Secret; the Secret is rotated: which issue does "
            "the pod serve?",
            options=("1st", "2nd"),
        ),
    ),
    tasks=(two_hosts.TASK, rotation.TASK, diagnosis.TASK),
)
