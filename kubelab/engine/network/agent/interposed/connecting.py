"""``connect``, ``bind``, ``listen`` and ``socket``: where a program's sockets stand and whom they reach."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections import OrderedDict
from collections.abc import Iterable

from kubelab.engine.network.agent.interposed import abi, sockaddr
from kubelab.engine.network.agent.interposed.addresses import AddressPlan, in_cluster, is_loopback
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call
from kubelab.engine.network.agent.interposed.places import Site
from kubelab.engine.network.agent.interposed.poller import WRITE
from kubelab.engine.network.agent.interposed.routing import Map, Way
from kubelab.engine.network.agent.interposed.silence import Silence
from kubelab.engine.network.agent.interposed.sockets import INTERNET, Held, Sockets
from kubelab.engine.network.agent.interposed.stands import Stands
from kubelab.engine.network.agent.interposed.tracking import Connected, Connection, Tracking
from kubelab.engine.network.agent.interposed.waiting import Waits

_UNSPECIFIED = struct.pack("H14x", socket.AF_UNSPEC)
_KIND_MASK = 0xF
_MOST_UNSERVED = 1024
_libc = ctypes.CDLL(None, use_errno=True)


class Connecting:
    """Answers the calls that give a socket its ends."""

    def __init__(
        self,
        plan: AddressPlan,
        places: Map,
        stands: Stands,
        sockets: Sockets,
        waits: Waits,
        silence: Silence,
        tracking: Tracking,
    ) -> None:
        self._plan, self._map, self._stands = plan, places, stands
        self._sockets, self._waits, self._silence = sockets, waits, silence
        self._tracking = tracking
        tracking.forgotten = self._ask_again
        self._unserved: OrderedDict[int, Connected] = OrderedDict()
        """Connected UDP sockets, by number, that the rules led to nobody."""

    def rules_changed(self) -> None:
        """Who reached nobody before may reach somebody now."""
        unserved, self._unserved = self._unserved, OrderedDict()
        if unserved:
            self._ask_again(unserved.values())

    def socket(self, call: Call) -> Answer:
        """Make the socket here and keep a copy (only where sockets cannot be borrowed)."""
        family, kind, proto = (call.descriptor(at) for at in range(3))
        if family not in INTERNET or kind & _KIND_MASK not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            return CONTINUE
        sock = socket.socket(family, kind & _KIND_MASK, proto)
        if kind & socket.SOCK_NONBLOCK:
            sock.setblocking(False)
        self._sockets.keep(sock)
        call.give(sock.fileno(), close_on_exec=bool(kind & socket.SOCK_CLOEXEC))
        return LATER

    def connect(self, call: Call) -> Answer:
        """Connect the caller's socket to where the rules lead."""
        address = self._address(call)
        if address is None or (address.six and address.ip not in ("::", "::1")):
            return CONTINUE
        ip = {"::": "0.0.0.0", "::1": "127.0.0.1"}.get(address.ip, address.ip)
        with self._sockets.of(call, call.descriptor(0)) as held:
            if not held.proto:
                return CONTINUE
            site = call.context.site
            way = self._map.way(site, held.proto, ip, address.port, held.sock.getsockname()[1])
            if way.kind == "native":
                self._sockets.let_go(held.inode)
                return CONTINUE
            end = self.end(way, held.proto)
            self._sockets.stale(*end)
            if held.proto == "udp":
                return self._connect_udp(site, held, way, (address.ip, address.port), end)
            return self._connect_tcp(call, held, way, (address.ip, address.port), end)

    def end(self, way: Way, proto: str) -> tuple[str, int]:
        """The kernel's address for a way. Raises the OSError of a refusal that has no address."""
        if way.kind == "deliver":
            port = self._stands.where(proto, way.ip, way.port)
            if port is None and proto == "udp":
                port = way.port  # a client's, who was never bound
            return (way.ip, port) if port else (self._plan.nobody, 1)
        if way.kind == "drop":
            return self._silence.address(proto)
        if way.error == errno.ECONNREFUSED:
            return self._plan.nobody, 1
        raise OSError(way.error, os.strerror(way.error))

    def source(self, way: Way, site: Site) -> str:
        """The kernel address that the server is to see."""
        if is_loopback(way.source):
            return site.localhost
        try:
            return self._plan.outer(way.source or site.ip)
        except KeyError:  # rules may set any source; only the cluster's own can be shown
            return site.outer

    def bind(self, call: Call) -> Answer:
        """Bind the caller's socket to its place's loopback address."""
        address = self._address(call)
        if address is None:
            return CONTINUE
        with self._sockets.of(call, call.descriptor(0)) as held:
            if not held.proto:
                return CONTINUE
            everywhere = address.ip in ("0.0.0.0", "::")
            if everywhere and held.proto == "udp" and not address.port:
                return CONTINUE  # a client's: its address is chosen with its first packet
            if address.six and _only_six(held.sock):
                return self._bind_apart(held, address)
            ip = self._own_address(call.context.site, address.ip)
            if ip is None:
                return CONTINUE
            self._stand(held, ip, address.port)
            if everywhere:
                self._sockets.seeming(held.inode).local_ip = address.ip
            self._sockets.serves(call, call.descriptor(0), held.inode)
            return 0

    def listen(self, call: Call) -> Answer:
        """A socket that was never bound listens on all addresses of its place."""
        with self._sockets.of(call, call.descriptor(0)) as held:
            if held.proto == "tcp" and not held.sock.getsockname()[1]:
                self._stand(held, call.context.site.outer, 0)
                self._sockets.seeming(held.inode).local_ip = "::" if held.sock.family == socket.AF_INET6 else "0.0.0.0"
                self._sockets.serves(call, call.descriptor(0), held.inode)
        return CONTINUE

    def _address(self, call: Call) -> sockaddr.Address | None:
        length = min(call.arguments[2] & 0xFFFFFFFF, sockaddr.LONGEST)
        return sockaddr.parse(call.read(call.arguments[1], length)) if length >= 8 else None

    def _own_address(self, site: Site, ip: str) -> str | None:
        """Where a place's socket stands that is bound to ``ip``; None when the kernel is to judge."""
        if ip in ("0.0.0.0", "::", site.ip):
            return site.outer
        if is_loopback(ip) or ip == "::1":
            return site.localhost
        if in_cluster(ip):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return None

    def _stand(self, held: Held, ip: str, port: int) -> None:
        self._stands.bind(held.sock, ip, port, self._sockets.sweep)

    def _bind_apart(self, held: Held, address: sockaddr.Address) -> Answer:
        """An IPv6-only server stands beside an IPv4 one; no address of the cluster leads to it."""
        held.sock.bind(("::1", 0))
        seeming = self._sockets.seeming(held.inode)
        seeming.local_ip, seeming.local_port = address.ip, address.port or None
        return 0

    def _connect_udp(self, site: Site, held: Held, way: Way, peer: tuple[str, int], end: tuple[str, int]) -> Answer:
        sock = held.sock
        ip, port = sockaddr.from_python(sock.getsockname())
        if ip in ("0.0.0.0", "::"):
            _libc.connect(sock.fileno(), _UNSPECIFIED, len(_UNSPECIFIED))  # undoes a bind to all addresses
            sock.bind(sockaddr.for_python(sock.family, self.source(way, site), port))
        sock.connect(sockaddr.for_python(sock.family, *end))
        seeming = self._sockets.seeming(held.inode)
        seeming.local_ip, seeming.peer = site.ip, peer
        self._track_udp(Connected(held.inode, site, peer), held, way, end)
        return 0

    def _track_udp(self, which: Connected, held: Held, way: Way, end: tuple[str, int]) -> None:
        """No flow begins where nobody gets it: a kernel would ask the rules for the next datagram again."""
        self._unserved.pop(which.inode, None)
        flow = self._track(held, "udp", way, end) if way.kind == "deliver" else None
        if flow is not None:
            flow.connected = which
            self._tracking.sent(flow)
        elif way.kind != "deliver":
            self._leave_unserved(which)

    def _leave_unserved(self, which: Connected) -> None:
        self._unserved[which.inode] = which
        while len(self._unserved) > _MOST_UNSERVED:
            self._unserved.popitem(last=False)

    def _ask_again(self, sockets: Iterable[Connected]) -> None:
        """What these send next goes where the rules say now."""
        asking = {each.inode: each for each in sockets}
        for held in self._sockets.find(asking):
            with held:
                self._redirect(asking[held.inode], held)

    def _redirect(self, which: Connected, held: Held) -> None:
        ip = {"::": "0.0.0.0", "::1": "127.0.0.1"}.get(which.peer[0], which.peer[0])
        way = self._map.way(which.site, "udp", ip, which.peer[1], held.sock.getsockname()[1])
        try:
            end = self.end(way, "udp")
            held.sock.connect(sockaddr.for_python(held.sock.family, *end))
        except OSError:  # a refusal that has no address: the socket keeps its old way until the rules change
            self._leave_unserved(which)
            return
        self._track_udp(which, held, way, end)

    def _track(self, held: Held, proto: str, way: Way, end: tuple[str, int]) -> Connection | None:
        """The nodes on the way remember the connection, if the socket got a port for it."""
        ip, port = sockaddr.from_python(held.sock.getsockname())
        if not port or not way.tracks:
            return None
        return self._tracking.enter(proto, way.tracks, (ip, port), end, self._stands.inner_port(ip, port))

    def _connect_tcp(self, call: Call, held: Held, way: Way, peer: tuple[str, int], end: tuple[str, int]) -> Answer:
        sock, site = held.sock, call.context.site
        seeming = self._sockets.seeming(held.inode)
        if not sock.getsockname()[1] and seeming.peer is None:
            sock.setsockopt(socket.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind(sockaddr.for_python(sock.family, self.source(way, site), 0))
        seeming.local_ip, seeming.peer = ("127.0.0.1" if is_loopback(way.source) else site.ip), peer
        blocking = held.blocking
        code = _connect_at_once(sock, sockaddr.for_python(sock.family, *end), blocking)
        if blocking or code not in (errno.EALREADY, errno.EISCONN):
            self._track(held, "tcp", way, end)
        if code == errno.EISCONN and seeming.lost:
            code = 0
        if code in (errno.EINPROGRESS, errno.EALREADY) and blocking:
            return self._wait_connected(call, held)
        self._remember(held)
        if code:
            return _failed(code)
        seeming.lost = not call.finish(0)
        return LATER

    def _remember(self, held: Held) -> None:
        """A connecting socket goes its own way: a copy here would hold back its end."""
        seeming = self._sockets.seeming(held.inode)
        seeming.family, seeming.local_port = held.sock.family, held.sock.getsockname()[1]
        self._sockets.let_go(held.inode)

    def _wait_connected(self, call: Call, held: Held) -> Answer:
        seeming = self._sockets.seeming(held.inode)

        def ready(sock: socket.socket) -> Answer:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                return _failed(code)
            seeming.lost = not call.finish(0)
            return LATER

        seconds = send_limit(held.sock)
        answer = self._waits.add(call, held.sock, WRITE, ready, seconds=seconds, late=errno.EINPROGRESS)
        self._remember(held)
        return answer


def send_limit(sock: socket.socket) -> float:
    """SO_SNDTIMEO in seconds, zero for none."""
    return _limit(sock, socket.SO_SNDTIMEO)


def receive_limit(sock: socket.socket) -> float:
    """SO_RCVTIMEO in seconds, zero for none."""
    return _limit(sock, socket.SO_RCVTIMEO)


def _limit(sock: socket.socket, option: int) -> float:
    seconds, micros = struct.unpack("ll", sock.getsockopt(socket.SOL_SOCKET, option, 16))
    return float(seconds + micros / 1e6)


def _connect_at_once(sock: socket.socket, address: tuple[str, int], blocking: bool) -> int:
    """connect(2) without waiting; the errno. Whether the socket waits is a property that the caller shares."""
    if blocking:
        os.set_blocking(sock.fileno(), False)
    try:
        code = sock.connect_ex(address)
        if blocking and code == errno.EINPROGRESS:
            code = sock.connect_ex(address)  # on loopback the hands are shaken by now
    finally:
        if blocking:
            os.set_blocking(sock.fileno(), True)
    return code


def _failed(code: int) -> Answer:
    raise OSError(code, os.strerror(code))


def _only_six(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
