"""Descriptors and their events."""

from __future__ import annotations

import os

from kubelab.engine.network.agent.interposed.poller import READ, Poller


class Loop:
    """The agent's loop, turned by hand."""

    def watch(self, fd, callback):
        self.turn = callback


def test_an_event_of_a_descriptor_that_was_closed_is_not_told_to_the_next_one_under_its_number():
    loop, told = Loop(), []
    poller = Poller(loop)
    pairs = [os.pipe(), os.pipe()]
    silent = os.pipe()

    def replace(own, other):
        """Whoever comes first closes the other one, whose event has been fetched, and puts a silent one there."""
        told.append(own)
        os.read(own, 1)
        poller.unwatch(other)
        os.dup2(silent[0], other)
        poller.watch(other, READ, lambda _: told.append("silent"))

    for (own, _), (other, _) in (pairs, pairs[::-1]):
        poller.watch(own, READ, lambda _, own=own, other=other: replace(own, other))
    for _, writer in pairs:
        os.write(writer, b"x")
    loop.turn()
    assert len(told) == 1 and told[0] in {pairs[0][0], pairs[1][0]}
    os.write(silent[1], b"x")
    loop.turn()
    assert told[1:] and set(told[1:]) == {"silent"}
    for fd in {*pairs[0], *pairs[1], *silent}:
        os.close(fd)
