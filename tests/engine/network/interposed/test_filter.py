"""The filter, run on paper: which calls stop."""

from __future__ import annotations

import socket
import struct

import pytest

from kubelab.engine.network.agent.interposed import abi, filter

STOPS, PASSES = abi.SECCOMP_RET_USER_NOTIF, abi.SECCOMP_RET_ALLOW
MACHINE = abi.machine()


def run(program: bytes, number: int, *arguments: int, arch: int = MACHINE.audit_arch) -> int:
    """What a classic BPF program returns for a call."""
    data = struct.pack("iIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("HBBI", program))
    at, accumulator = 0, 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("I", data, value)
            case 0x15:
                at += yes if accumulator == value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return value


def decide(name: str, *arguments: int, sockets: bool = False) -> int:
    return run(filter.program(sockets=sockets), MACHINE.calls[name], *arguments)


@pytest.mark.parametrize("name", ["connect", "bind", "openat", "uname", "kill", "recvmsg", "getpeername"])
def test_calls_that_name_something_stop(name):
    assert decide(name, 3, 1, 1, 0, 0, 0) == STOPS


def test_reading_and_writing_pass():
    numbers = {0, 1, 7, 19, 20, 232, 281} if MACHINE.audit_arch == abi.AUDIT_ARCH["x86_64"] else {63, 64, 65, 66, 73}
    assert {run(filter.program(sockets=True), number) for number in numbers} == {PASSES}


@pytest.mark.parametrize("name", ["recvfrom", "sendto"])
@pytest.mark.parametrize(("address", "decision"), [(0, PASSES), (1, STOPS), (1 << 40, STOPS)])
def test_stream_traffic_has_no_address_and_passes(name, address, decision):
    assert decide(name, 3, 1, 1, 0, address, 0) == decision


def test_a_look_at_an_open_file_passes_and_at_a_path_stops():
    assert decide("newfstatat", 3, 1, 1, abi.AT_EMPTY_PATH) == PASSES
    assert decide("newfstatat", 3, 1, 1, 0) == STOPS


def test_only_internet_sockets_are_made_by_the_agent_and_only_where_they_cannot_be_lent():
    families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK)
    assert [decide("socket", family, 1, 0, sockets=True) for family in families] == [
        STOPS,
        STOPS,
        PASSES,
        PASSES,
    ]
    assert decide("socket", socket.AF_INET, 1, 0) == PASSES


def test_the_handover_of_the_listener_passes_and_no_other_message():
    assert decide("sendmsg", 3, 1, abi.HANDOVER_FLAGS) == PASSES
    assert decide("sendmsg", 3, 1, socket.MSG_NOSIGNAL) == STOPS


def test_calls_of_another_architecture_pass():
    assert run(filter.program(sockets=True), MACHINE.calls["connect"], arch=0x40000003) == PASSES


def test_no_jump_is_longer_than_a_byte_and_no_call_is_listed_twice():
    names = filter.names(sockets=True)
    assert len(set(names)) == len(names)
    assert len(filter.program(sockets=True)) // 8 < 4096
