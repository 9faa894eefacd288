"""A network of the interposed tier: as the machine allows it, and with the calls refused that Docker refuses."""

from __future__ import annotations

import platform
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubelab.engine import config
from kubelab.engine.network.agent.interposed import abi
from kubelab.engine.network.remote import AgentNetwork
from kubelab.engine.network.start import NoNetwork, start_network

# Stands for the interpreter that the agent is started with: refuses system calls as a container's profile would.
REFUSING = """\
#!{outer}
import ctypes, os, struct, sys
program = struct.pack("HBBI", 0x20, 0, 0, 0)
for number in {numbers}:
    program += struct.pack("HBBI", 0x15, 0, 1, number) + struct.pack("HBBI", 0x06, 0, 0, 0x00050001)
program += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
class Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(program) // 8, program)), 0, 0) == 0
os.execv("{python}", sys.argv)
"""


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path, *calls: str) -> None:
    """Start agents with these system calls refused (EPERM)."""
    numbers = [abi.MACHINES[platform.machine()].calls[call] for call in calls]
    wrapper = folder / "python"
    wrapper.write_text(REFUSING.format(outer=sys._base_executable, python=sys.executable, numbers=numbers))
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))


@pytest.fixture(params=["lent", "kept"])
async def network(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AgentNetwork]:
    """Three nodes; sockets are ``lent`` by pidfd_getfd(2), or made and ``kept`` by the agent where it is refused."""
    if request.param == "kept":
        refuse(monkeypatch, tmp_path, "pidfd_getfd")
    try:
        started = await start_network(tmp_path, "interposed")
    except NoNetwork as refused:
        pytest.skip(str(refused))
    assert any("pidfd_getfd" in note for note in started.notes) == (request.param == "kept")
    try:
        for spec in config.nodes():
            await started.add_node(spec)
        yield started
        assert (tmp_path / "network" / "agent.log").read_text() == ""
    finally:
        await started.close()
