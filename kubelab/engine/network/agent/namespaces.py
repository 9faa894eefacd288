"""Tiers ``root`` and ``user``: every place a network namespace, every pod's program in namespaces of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent import rootfs
from kubelab.engine.network.agent.backend import Backend, Birth, Loop, TierUnusable
from kubelab.engine.network.agent.balancing import balancing_rules
from kubelab.engine.network.agent.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_REC,
    MS_SLAVE,
    close_all_but,
    die_with_parent,
    keep_capabilities,
    mount,
    set_hostname,
    setns,
    unshare,
)
from kubelab.engine.network.agent.topology import Topology, visit
from kubelab.engine.network.agent.trial import try_namespaces
from kubelab.engine.network.contract import Place, Program, StartFailed

POD_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})
"""What container runtimes leave to a pod (capabilities(7)): chown, dac_override, fowner, fsetid, kill, setgid, setuid,
setpcap, net_bind_service, net_raw, sys_chroot, audit_write, setfcap; not mknod, since no device cgroup guards us."""


_REMEDY = {
    "root": "run with CAP_SYS_ADMIN (docker run --privileged), or as a plain user",
    "user": "as root: sysctl -w user.max_user_namespaces=65536, and on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0, on older Debian kernel.unprivileged_userns_clone=1; "
    "in a container: a seccomp profile that allows unshare",
}


def own_user_namespace() -> None:
    """Become root of a new user namespace in which only this user exists. Single-threaded callers only."""
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    for file, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{file}", "w") as table:
            table.write(line)


def process_one() -> None:
    """Return as process 1 of new PID, mount and network namespaces; the caller stays behind to wait for it.

    When process 1 ends, the kernel ends every process in its PID namespace; when the one who waits ends, so does
    process 1.
    """
    unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)
    child = os.fork()
    if child:
        _guard(child)
    die_with_parent(signal.SIGKILL)
    unshare(CLONE_NEWNS)  # only now: the guard's /proc must stay the one that knows it
    mount(None, "/", None, MS_REC | MS_SLAVE)


def _guard(child: int) -> NoReturn:
    """Stay until process 1 is dead and reaped: as a bare interpreter, which takes 5 MB less than this one."""
    close_all_but(0, 1, 2)  # the channel above all: its end must be seen
    wait = "import os, sys; os.waitpid(int(sys.argv[1]), 0)"
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", wait, str(child), "kubelab-network-guard"])


class NamespaceBackend(Backend):
    """Places as network namespaces."""

    _topology: Topology
    _own_pids: int

    def isolate(self) -> None:
        """Into namespaces of the agent's own."""
        try:
            if self.settings.tier == "user":
                own_user_namespace()
            process_one()
        except OSError as error:
            reason = f"namespaces are refused here ({error.strerror})"
            raise TierUnusable(reason, _REMEDY[self.settings.tier]) from error
        try:
            mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        except OSError as error:
            self.notes.append(f"Pods see the machine's processes in /proc, not only their own ({error.strerror}).")

    def begin(self, loop: Loop) -> None:
        """The outside, and the way back from other namespaces."""
        try_namespaces(str(self.settings.state / "xtables-trial.lock"))
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._topology = Topology.build()

    def add_node(self, spec: NodeSpec) -> None:
        """A network namespace with eth0 on the bridge."""
        self._topology.add_node(spec)

    def add_pod(self, uid: str, node: str, ip: str) -> None:
        """A network namespace behind the node."""
        self._topology.add_pod(uid, node, ip)

    def remove_pod(self, uid: str) -> None:
        """Its link goes at once, the namespace with its last process."""
        self._topology.remove_pod(uid)

    def balance(self, addresses: dict[str, list[str]]) -> str:
        """The outside's own rules pick the node."""
        return balancing_rules({ip: self._topology.marks_of(nodes) for ip, nodes in addresses.items()})

    def birth(self, place: Place, program: Program) -> Birth:
        """A pod's program gets namespaces of its own, or joins those of another."""
        network = self._topology.namespace_of(place)
        if program.join is not None:
            return _Join(program, network, self._own_pids)
        if place.kind == "pod" or program.files or program.mounts:
            return _Contained(program, network, self._own_pids, _secrets(self.settings.state))
        return _InNetwork(network)

    def tool_birth(self, place: Place) -> Birth:
        """The place's network, the agent's everything else."""
        return _InNetwork(self._topology.namespace_of(place))

    def tool_env(self, place: Place) -> dict[str, str]:
        """iptables locks a file of the place's, since /run is not ours and the tables of other places are others."""
        lock = self.settings.state / f"xtables-{place.kind}-{place.name}.lock"
        return {**super().tool_env(place), "XTABLES_LOCKFILE": str(lock)}

    def listen(self, place: Place, ip: str, port: int, udp: bool) -> socket.socket:
        """A socket keeps the namespace in which it was made."""
        made = self._socket(place, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((ip, port))
            if not udp:
                made.listen(socket.SOMAXCONN)
        except OSError:
            made.close()
            raise
        return made

    def dial(self, place: Place, ip: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
        """The engine connects the socket itself: the kernel knows the way."""
        return self._socket(place, socket.SOCK_STREAM), (ip, port)

    def _socket(self, place: Place, kind: int) -> socket.socket:
        with visit(self._topology.namespace_of(place), self._topology.home):
            return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)


def _secrets(state: Path) -> str:
    """The directory of every cluster's state, or of this one's alone where programs that pods need lie beside it."""
    cluster = state.parent
    needed = Path(sys.base_prefix), Path(__file__).parents[4]
    beside = any(folder.is_relative_to(cluster.parent) for folder in needed)
    return str(cluster if beside else cluster.parent)


class _InNetwork(Birth):
    """Only the network is another."""

    def __init__(self, network: int) -> None:
        self._network = network

    def enter(self, report: socket.socket) -> None:
        setns(self._network, CLONE_NEWNET)


class _Contained(Birth):
    """Process 1 of a new PID namespace, in a private root."""

    def __init__(self, program: Program, network: int, own_pids: int, hidden: str = "") -> None:
        self._program = program
        self._network = network
        self._own_pids = own_pids
        self._hidden = hidden

    def fork(self) -> int:
        # The next child is born into the new PID namespace; only then do later ones belong to ours again.
        self._aim()
        try:
            pid = os.fork()
        except OSError:
            setns(self._own_pids, CLONE_NEWPID)
            raise
        if pid:
            setns(self._own_pids, CLONE_NEWPID)
        return pid

    def _aim(self) -> None:
        unshare(CLONE_NEWPID)

    def enter(self, report: socket.socket) -> None:
        setns(self._network, CLONE_NEWNET)
        unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
        if self._program.hostname is not None:
            set_hostname(self._program.hostname)
        rootfs.enter_private_root(self._program.files, self._program.mounts, hidden=self._hidden)
        keep_capabilities(POD_CAPABILITIES)


class _Join(_Contained):
    """Into the namespaces of a running program."""

    def __init__(self, program: Program, network: int, own_pids: int) -> None:
        super().__init__(program, network, own_pids)
        assert program.join is not None
        try:
            self._target = os.pidfd_open(program.join)
        except OSError as error:
            raise StartFailed(f"process {program.join} is not running: {error.strerror}") from error

    def _aim(self) -> None:
        setns(self._target, CLONE_NEWPID)

    def enter(self, report: socket.socket) -> None:
        setns(self._target, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
        keep_capabilities(POD_CAPABILITIES)

    def done(self) -> None:
        os.close(self._target)
