"""The datagrams between engine and agent."""

from __future__ import annotations

import os
import socket

import pytest

from kubelab.engine.network.agent import messages


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("length", [0, messages.LONGEST_DATAGRAM, 1_000_000])
def test_a_message_of_any_length_arrives_with_its_descriptors(pair, length):
    reader, writer = os.pipe()
    messages.send(pair[0], {"text": "x" * length}, [writer])
    os.close(writer)
    received = messages.receive(pair[1])
    assert received is not None
    message, (copy,) = received
    assert message == {"text": "x" * length}
    assert not os.get_inheritable(copy)
    os.write(copy, b"ok")
    os.close(copy)
    assert os.read(reader, 10) == b"ok"
    os.close(reader)


def test_a_closed_end_is_none(pair):
    pair[0].close()
    assert messages.receive(pair[1]) is None
