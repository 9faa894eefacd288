"""Whether a plain program may supervise its children here, and by which of the two means each: tried in a child."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import socket
from dataclasses import dataclass, field

from kubelab.engine.network.agent import messages
from kubelab.engine.network.agent.backend import TierUnusable
from kubelab.engine.network.agent.interposed import abi, confinement, filter, kernel
from kubelab.engine.network.agent.interposed.kernel import Memory, Notification

_SECONDS = 5
_WORD = b"kubelab-interposed"
_REMEDY = "run on Linux 5.9 or newer without gVisor, under a seccomp profile that allows seccomp(2)"


@dataclass
class Ability:
    """What works here."""

    lendable: bool = True
    """pidfd_getfd(2): sockets are borrowed. Otherwise the agent makes the programs' sockets and keeps copies."""
    memory_by_call: bool = True
    """process_vm_readv(2). Otherwise /proc/PID/mem."""
    notes: list[str] = field(default_factory=list)
    """What is refused and what that costs."""


def try_interposed() -> tuple[bool, str]:
    """Whether this tier works here, and one or more sentences on what it has to do without (for ``kubelab doctor``)."""
    try:
        ability = try_supervision()
    except TierUnusable as unusable:
        return False, f"{unusable.reason[0].upper()}{unusable.reason[1:]}; to lift that: {unusable.remedy}."
    return True, " ".join(ability.notes) or "Seccomp notification, process memory and pidfd_getfd all work."


def try_supervision() -> Ability:
    """Fork a child, supervise it, answer one call in every way that is needed. Raises `TierUnusable`."""
    if platform.machine() not in abi.MACHINES:
        known = " or ".join(abi.MACHINES)
        raise TierUnusable(f"system calls cannot be supervised on {platform.machine()}", f"use {known}")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    word = ctypes.create_string_buffer(_WORD)
    child = os.fork()
    if child == 0:
        _be_supervised(theirs)
    theirs.close()
    try:
        with ours:
            return _supervise(ours, child, ctypes.addressof(word))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _be_supervised(channel: socket.socket) -> None:
    """The child: install the filter, hand over the listener, make one call that the parent answers with a socket."""
    try:
        listener = kernel.install_filter(filter.program(sockets=True))
        kernel.send_handover(channel, listener)
        os.close(listener)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            os._exit(0 if sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM else 1)
    except OSError as error:
        os._exit(error.errno or 1)
    finally:
        os._exit(1)


def _supervise(channel: socket.socket, child: int, word: int) -> Ability:
    channel.settimeout(_SECONDS)
    received = messages.receive(channel)
    if received is None:
        raise TierUnusable("the kernel refuses seccomp's user notification", _REMEDY)
    (listener,) = received[1]
    try:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        if not poll.poll(_SECONDS * 1000):
            raise TierUnusable("seccomp's user notification does not notify", _REMEDY)
        ident, *_ = Notification.receive(listener)
        ability = Ability()
        _try_memory(ability, child, word)
        _try_lending(ability, child)
        if not confinement.version():
            ability.notes.append("Landlock is missing: programs in pods may write wherever this user may.")
        _answer_with_a_socket(listener, ident)
        return ability
    finally:
        os.close(listener)


def _try_memory(ability: Ability, child: int, word: int) -> None:
    """The child is a fork: its copy of the word is where ours is."""
    memory = Memory()
    try:
        if memory.read(child, word, len(_WORD)) != _WORD:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        memory.write(child, word, _WORD[::-1])
    except OSError as error:
        raise TierUnusable(
            f"a program's memory may not be read by its parent ({error.strerror})",
            "set kernel.yama.ptrace_scope to 0 or 1, or allow process_vm_readv(2) in the seccomp profile",
        ) from error
    ability.memory_by_call = memory.by_call
    if not memory.by_call:
        ability.notes.append("process_vm_readv(2) is refused: programs' calls are read by /proc, a little slower.")


def _try_lending(ability: Ability, child: int) -> None:
    try:
        os.close(kernel.get_fd(child, 0))
    except OSError as error:
        if error.errno == errno.EBADF:  # allowed, there is just no such descriptor
            return
        ability.lendable = False
        ability.notes.append(
            "pidfd_getfd(2) is refused (Docker's default profile does): "
            "the network agent makes the programs' sockets itself, which costs each some 50 microseconds."
        )


def _answer_with_a_socket(listener: int, ident: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            Notification.add_fd(listener, ident, sock.fileno(), os.O_CLOEXEC, send=True)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise TierUnusable(f"a descriptor cannot be given to a program ({error.strerror})", _REMEDY) from error
            number = Notification.add_fd(listener, ident, sock.fileno(), os.O_CLOEXEC, send=False)
            Notification.send(listener, ident, number, 0, 0)
