"""The tier where nothing is allowed: see the package."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent.backend import Backend, Birth, Loop
from kubelab.engine.network.agent.interposed import abi, census, kernel, proc_files
from kubelab.engine.network.agent.interposed.addresses import AddressPlan, is_loopback
from kubelab.engine.network.agent.interposed.connecting import Connecting
from kubelab.engine.network.agent.interposed.datagrams import Datagrams
from kubelab.engine.network.agent.interposed.names import Names
from kubelab.engine.network.agent.interposed.places import Context, Site
from kubelab.engine.network.agent.interposed.poller import Poller
from kubelab.engine.network.agent.interposed.probe import try_supervision
from kubelab.engine.network.agent.interposed.programs import SupervisedBirth
from kubelab.engine.network.agent.interposed.routing import Map
from kubelab.engine.network.agent.interposed.silence import Silence
from kubelab.engine.network.agent.interposed.sockets import Sockets, occupied
from kubelab.engine.network.agent.interposed.stands import Stands
from kubelab.engine.network.agent.interposed.supervisor import Supervisor
from kubelab.engine.network.agent.interposed.tools import Tools
from kubelab.engine.network.agent.interposed.tracking import Tracking
from kubelab.engine.network.agent.interposed.waiting import Waits
from kubelab.engine.network.agent.syscalls import close_all_but
from kubelab.engine.network.contract import Place, Program, StartFailed

_GUARDS_END = signal.SIGUSR2
_OWN = ("tmp", "run")
"""Directories that every pod has for itself."""


class InterposedBackend(Backend):
    """Places as loopback addresses, programs under a seccomp listener."""

    def isolate(self) -> None:
        """Behind a guard that ends whatever the agent leaves behind, however that ends; and the other way round."""
        kernel.prctl(abi.PR_SET_CHILD_SUBREAPER, 1)
        guard = os.getpid()
        child = os.fork()
        if child:
            _guard(child)
        signal.signal(_GUARDS_END, _unguarded)
        kernel.prctl(abi.PR_SET_PDEATHSIG, _GUARDS_END)
        if os.getppid() != guard:
            os._exit(1)
        kernel.prctl(abi.PR_SET_CHILD_SUBREAPER, 1)

    def begin(self, loop: Loop) -> None:
        """Claim a range of loopback addresses."""
        ability = try_supervision()
        self.notes += ability.notes
        poller = Poller(loop)
        waits = Waits(poller)
        self._plan = plan = AddressPlan()
        self._stands = stands = Stands(plan)
        self._map = Map(plan, self._is_occupied)
        self._silence = Silence(plan.nobody)
        self._sockets = Sockets(lambda: self._supervisor.threads(), lendable=ability.lendable)
        self._tracking = Tracking()
        self._connecting = Connecting(plan, self._map, stands, self._sockets, waits, self._silence, self._tracking)
        self._tools = Tools(self._map, self._tracking, self._connecting.rules_changed)
        names = Names(plan, stands, self._sockets, waits)
        self._datagrams = Datagrams(self._map, self._sockets, waits, self._connecting, names, self._tracking)
        memory = kernel.Memory(by_call=ability.memory_by_call)
        self._supervisor = Supervisor(poller, memory, self._connecting, names, self._datagrams)
        self._contexts: dict[int, Context] = {}

    def end(self) -> None:
        """Every program, then the addresses."""
        for context in set(self._contexts.values()):
            census.end(context)
        self._supervisor.close()
        self._sockets.close()
        self._silence.close()
        self._plan.release()

    def add_node(self, spec: NodeSpec) -> None:
        """An address and empty rules."""
        self._map.add_node(spec)

    def add_pod(self, uid: str, node: str, ip: str) -> None:
        """An address."""
        self._map.add_pod(uid, node, ip)

    def remove_pod(self, uid: str) -> None:
        """Its address leads nowhere from now on."""
        site = self._map.remove_pod(uid)
        if site is None:
            return
        for context in {each for each in self._contexts.values() if each.site is site}:
            census.end(context)
        self._sockets.sweep()
        self._stands.forget(site.outer, site.localhost)
        shutil.rmtree(self._folder(site), ignore_errors=True)

    def balance(self, addresses: dict[str, list[str]]) -> str:
        """The outside draws a node for each new connection."""
        self._map.balanced = addresses
        self._connecting.rules_changed()
        return ""

    def birth(self, place: Place, program: Program) -> Birth:
        """A container of its own, or the one of a running program."""
        if program.join is None:
            context = self._container(self._map.sites[place], program)
        else:
            joined = self._contexts.get(program.join)
            if joined is None:
                raise StartFailed(f"process {program.join} is not running")
            context = joined
        return self._birth(context)

    def tool_birth(self, place: Place) -> Birth:
        """The place's addresses, the machine's files; a node's /proc tells of its own network."""
        site = self._map.sites[place]
        return self._birth(Context(site, redirects=self._proc_files(site)))

    def _proc_files(self, site: Site) -> dict[str, tuple[str, bool]]:
        host = self._map.hosts.get(site.place.name) if site.place.kind == "node" else None
        return proc_files.lay(self._folder(site) / "proc", host, self._tracking) if host else {}

    def answer_tool(self, place: Place, argv: Sequence[str], stdin: int, stdout: int, stderr: int) -> int | None:
        """The tools that look at a place's network."""
        site = self._map.sites.get(place)
        output = self._tools.answer(site, argv, stdin) if site else None
        if output is None:
            return None
        for fd, text in ((stdout, output.stdout), (stderr, output.stderr)):
            with open(fd, "w", closefd=False) as file:
                file.write(text)
        return output.code

    def listen(self, place: Place, ip: str, port: int, udp: bool) -> socket.socket:
        """A socket at the place's loopback address."""
        site = self._map.sites[place]
        own = site.localhost if is_loopback(ip) else self._plan.outer(site.ip if ip == "0.0.0.0" else ip)
        made = socket.socket(socket.AF_INET, (socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) | socket.SOCK_NONBLOCK)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._stands.bind(made, own, port, self._sockets.sweep)
            if not udp:
                made.listen(socket.SOMAXCONN)
        except OSError:
            made.close()
            raise
        return made

    def dial(self, place: Place, ip: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
        """A socket with the source that the server is to see, and where the rules lead."""
        site = self._map.sites[place]
        way = self._map.way(site, "tcp", ip, port)
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            if way.kind == "native":
                return made, (ip, port)
            end = self._connecting.end(way, "tcp")
            self._sockets.stale(*end)
            made.setsockopt(socket.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT, 1)
            made.bind((self._connecting.source(way, site), 0))
        except OSError:
            made.close()
            raise
        return made, end

    def may_signal(self, pid: int, number: int) -> bool:
        """Process 1 of a pod gets, besides SIGKILL and SIGSTOP, only what it has a handler for."""
        context = self._contexts.get(pid)
        if context is None or context.first != pid or context.site.place.kind != "pod":
            return True
        return number in (signal.SIGKILL, signal.SIGSTOP) or census.caught(pid, number)

    def forget(self, pid: int) -> None:
        """With a pod's process 1 ends its container."""
        context = self._contexts.pop(pid, None)
        if context is None:
            return
        context.programs.discard(pid)
        if context.first == pid and context.site.place.kind == "pod":
            census.end(context)
        self._sockets.sweep()

    def _is_occupied(self, proto: str, ip: str, port: int) -> bool:
        real = self._stands.where(proto, ip, port)
        return real is not None and occupied(proto, ip, real)

    def _container(self, site: Site, program: Program) -> Context:
        redirects = self._proc_files(site)
        if site.place.kind == "pod":
            redirects = {f"/{name}": (str(self._folder(site) / name), False) for name in _OWN}
        for mount in program.mounts:
            if not os.path.exists(mount.source):
                raise StartFailed(f"cannot mount {mount.source} on {mount.target}: {os.strerror(errno.ENOENT)}")
            if mount.source == "/":
                raise StartFailed(f"cannot mount / on {mount.target}: interposed pods see the machine's files at /")
            redirects[mount.target.rstrip("/")] = (mount.source.rstrip("/"), mount.read_only)
        files = dict(program.files)
        if program.hostname:
            files["/proc/sys/kernel/hostname"] = f"{program.hostname}\n"
        for target, content in files.items():
            redirects.setdefault(target, (self._lay(site, target, content), False))
        return Context(site, program.hostname or "", redirects)

    def _birth(self, context: Context) -> Birth:
        own = None
        if context.site.place.kind == "pod":
            folder = self._folder(context.site)
            for name in _OWN:
                (folder / name).mkdir(parents=True, exist_ok=True)
            own = [
                str(folder),
                "/dev",
                *(path for path, read_only in context.redirects.values() if not read_only),
            ]
        return SupervisedBirth(
            context,
            self._supervisor.supervise,
            self._contexts,
            make_sockets=not self._sockets.lendable,
            own=own,
        )

    def _lay(self, site: Site, target: str, content: str) -> str:
        path = self._folder(site) / "files" / target.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return str(path)

    def _folder(self, site: Site) -> Path:
        return self.settings.state / site.place.kind / (site.place.name or "outside")


def _unguarded(*_: object) -> NoReturn:
    """The guard was killed: nobody would end the orphans after us."""
    census.end_descendants()
    os._exit(1)


def _guard(agent: int) -> NoReturn:
    """Wait for the agent, then end all that is left of it: its orphans come to this process."""
    close_all_but(0, 1, 2)  # the channel above all: its end must be seen
    status = 0
    pid = 0
    while pid != agent:
        pid, status = os.waitpid(-1, 0)
    census.end_descendants()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)
