"""Where a notebook begins: with a cluster, on which its lesson can be taken."""

from __future__ import annotations

import re

from kubelab import lab
from kubelab.course.catalogue import catalogue
from kubelab.lab.lab import Lab

_OF_A_LESSON = re.compile(r"(?:lesson|task)-(?P<number>\d+)")


def connect(namespace: str | None = None) -> Lab:
    """See `kubelab.lab.connect`. ``lesson-4`` and ``task-4`` are of lesson 4.

    Raises `Lacking` too, where the cluster lacks what that lesson needs: one sentence in its first cell then says for
    all of them what a learner would else find out piece by piece.
    """
    connected = lab.connect(namespace)
    if named := _OF_A_LESSON.fullmatch(namespace or ""):
        for each in catalogue():
            if each.number == int(named["number"]):
                each.require(connected)
    return connected
