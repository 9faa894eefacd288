"""``sendto``, ``sendmsg``, ``recvfrom`` … on UDP sockets: datagrams under cluster addresses.

What the kernel's connection tracking does for UDP is done here by socket: a socket's datagrams to one address keep
their way while they flow, and answers come back under the address that was asked.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from kubelab.engine.network.agent.interposed import abi, sockaddr
from kubelab.engine.network.agent.interposed.connecting import Connecting, receive_limit
from kubelab.engine.network.agent.interposed.messages import Header, headers
from kubelab.engine.network.agent.interposed.names import Names, put_address
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.poller import READ
from kubelab.engine.network.agent.interposed.routing import Map
from kubelab.engine.network.agent.interposed.sockets import End, Held, Sockets
from kubelab.engine.network.agent.interposed.tracking import Connection, Tracking
from kubelab.engine.network.agent.interposed.waiting import Waits

_MOST_FLOWS = 4096
_LONGEST = 65_535
_IN6_PKTINFO = struct.Struct("16sI")
_IN_PKTINFO = struct.Struct("I4s4s")
_MSG_WAITFORONE = 0x10000
_LENGTH = struct.Struct("I")

Deliver = Callable[[bytes, bytes], int]
"""(payload, address) → the call's result, once they are in the caller's memory."""


class Target(NamedTuple):
    """Where a datagram goes, and the source that is to be seen there: addresses of the kernel."""

    end: End
    source: str
    flow: Connection | None = None
    """The flow that it begins or goes on; None for an answer, and where nobody gets it."""


class Datagrams:
    """Answers the calls that send a datagram to an address or ask whose datagram it is."""

    def __init__(
        self,
        places: Map,
        sockets: Sockets,
        waits: Waits,
        connecting: Connecting,
        names: Names,
        tracking: Tracking,
    ) -> None:
        self._map, self._sockets, self._waits = places, sockets, waits
        self._connecting, self._names = connecting, names
        self._tracking = tracking
        self._flows: OrderedDict[tuple[int, End], Target] = OrderedDict()
        self._asked: OrderedDict[tuple[int, End], End] = OrderedDict()
        """(socket, kernel address of the server) → the address that was asked."""
        self._unread: dict[int, tuple[bytes, End]] = {}
        """Socket → the datagram received for a call that a signal took away."""

    # Sending

    def sendto(self, call: Call) -> Answer:
        """Send to an address."""
        length = min(call.arguments[5] & 0xFFFFFFFF, sockaddr.LONGEST)
        to = sockaddr.parse(call.read(call.arguments[4], length)) if length >= 8 else None
        if to is None:
            return CONTINUE
        with self._sockets.of(call, call.descriptor(0)) as held:
            flags = call.descriptor(3)
            if held.proto == "tcp" and flags & abi.MSG_FASTOPEN:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            if held.proto != "udp" or call.arguments[2] > _LONGEST:
                return CONTINUE
            way = self._way(call, held, to)
            return CONTINUE if way is None else self._send(held, call.read(*call.arguments[1:3]), way, flags)

    def sendmsg(self, call: Call) -> Answer:
        """Send one message."""
        return self._send_message(call, Header(call, call.arguments[1]), call.descriptor(2))

    def sendmmsg(self, call: Call) -> Answer:
        """Send the first of several messages: the caller goes on with the rest, as after a full buffer."""
        message = next(headers(call, call.arguments[1], call.descriptor(2)), None)
        if message is None or not message.name:
            return CONTINUE
        answer = self._send_message(call, message, call.descriptor(3))
        if not isinstance(answer, int):
            return answer
        message.write_length(answer)
        return 1

    def _send_message(self, call: Call, message: Header, flags: int) -> Answer:
        to = sockaddr.parse(message.address()) if message.name else None
        if to is None:
            return CONTINUE
        with self._sockets.of(call, call.descriptor(0)) as held:
            if held.proto != "udp":
                return CONTINUE
            way = self._way(call, held, to)
            return CONTINUE if way is None else self._send(held, message.payload(), way, flags)

    def _way(self, call: Call, held: Held, to: sockaddr.Address) -> Target | None:
        """The kernel's addresses for a datagram; None when it leaves the cluster."""
        if to.six and to.ip not in ("::", "::1"):
            return None
        asked = ("127.0.0.1" if to.six else to.ip), to.port
        target = self._answer(call, held, asked) or self._flows.get((held.inode, asked))
        if target is None or (target.flow is not None and not self._tracking.alive(target.flow)):
            target = self._begin(call, held, asked)
            if target is None:
                return None
            if target.flow is not None:
                self._flows[held.inode, asked] = target
            self._asked[held.inode, target.end] = (to.ip, to.port)
            for table in (self._flows, self._asked):
                while len(table) > _MOST_FLOWS:
                    table.popitem(last=False)
        self._sockets.stale(*target.end)
        return target

    def _answer(self, call: Call, held: Held, to: End) -> Target | None:
        """What goes to a client of a flow goes back by the way that the flow came."""
        local = sockaddr.from_python(held.sock.getsockname())
        if not local[1]:
            return None
        site = call.context.site
        flow = self._tracking.answer((site.ip, self._names.inner((site.outer, local[1]))[1], *to))
        return Target(flow.source, site.outer) if flow else None

    def _begin(self, call: Call, held: Held, asked: End) -> Target | None:
        """Ask the rules. None when the datagram leaves the cluster."""
        site, port = call.context.site, held.sock.getsockname()[1]
        way = self._map.way(site, "udp", *asked, port)
        if way.kind == "native":
            return None
        end = self._connecting.end(way, "udp")
        source = self._connecting.source(way, site)
        inner = self._names.inner((site.outer, port))[1]
        if way.kind != "deliver":  # no flow begins where nobody gets it: the next datagram asks the rules again
            return Target(end, source)
        flow = self._tracking.enter("udp", way.tracks, (source, port), end, inner)
        return Target(end, source, flow)

    def _send(self, held: Held, data: bytes, to: Target, flags: int) -> int:
        """Send from the agent, with the source that is to be seen unless the socket has one of its own."""
        sent = held.sock.sendmsg([data], _source(held.sock, to.source), flags | socket.MSG_DONTWAIT,
                                 sockaddr.for_python(held.sock.family, *to.end))  # fmt: skip
        flow = to.flow
        if flow is not None:
            if not flow.client_port:  # the kernel has chosen a port just now
                flow.client_port = held.sock.getsockname()[1]
                flow.source = flow.source[0], flow.client_port
            self._tracking.sent(flow)
        return sent

    # Receiving

    def recvfrom(self, call: Call) -> Answer:
        """Receive with the sender's address."""
        buffer, size, flags = call.arguments[1], call.arguments[2], call.descriptor(3)

        def deliver(data: bytes, address: bytes) -> int:
            call.write(buffer, data[:size])
            put_address(call, call.arguments[4], call.arguments[5], address)
            return len(data)

        return self._receive(call, size, flags, deliver)

    def recvmsg(self, call: Call) -> Answer:
        """Receive one message."""
        message = Header(call, call.arguments[1])
        if not message.name:
            return CONTINUE
        return self._receive(call, message.room(), call.descriptor(2), message.deliver)

    def recvmmsg(self, call: Call) -> Answer:
        """Receive one of the messages that there is room for."""
        message = next(headers(call, call.arguments[1], call.descriptor(2)), None)
        if message is None or not message.name:
            return CONTINUE

        def deliver(data: bytes, address: bytes) -> int:
            message.write_length(message.deliver(data, address))
            return 1

        return self._receive(call, message.room(), call.descriptor(3) & ~_MSG_WAITFORONE, deliver)

    def _receive(self, call: Call, size: int, flags: int, deliver: Deliver) -> Answer:
        with self._sockets.of(call, call.descriptor(0)) as held:
            if held.proto != "udp" or flags & socket.MSG_ERRQUEUE:
                return CONTINUE
            inode, size = held.inode, min(size, _LONGEST)
            try:
                return self._receive_one(call, held.sock, inode, size, flags, deliver)
            except BlockingIOError:
                if flags & socket.MSG_DONTWAIT or not held.blocking:
                    raise
            limit = receive_limit(held.sock)

            def ready(sock: socket.socket) -> Answer:
                try:
                    return self._receive_one(call, sock, inode, size, flags, deliver)
                except BlockingIOError:
                    return LATER

            return self._waits.add(call, held.sock, READ, ready, seconds=limit, late=errno.EAGAIN)

    def _receive_one(
        self, call: Call, sock: socket.socket, inode: int, size: int, flags: int, deliver: Deliver
    ) -> Answer:
        kept = self._unread.pop(inode, None)
        if kept is None:
            data, address = sock.recvfrom(size, flags & ~socket.MSG_TRUNC | socket.MSG_DONTWAIT)
            kept = data, sockaddr.from_python(address)
        data, end = kept
        try:
            result = deliver(data, sockaddr.build(sock.family, *self._sender(inode, end)))
        except Unreachable:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
        if not call.finish(result) and not flags & socket.MSG_PEEK:
            self._unread[inode] = kept
        return LATER

    def _sender(self, inode: int, end: End) -> End:
        asked = self._asked.get((inode, end))
        if asked is None:
            seeming = self._sockets.seemings.get(inode)
            asked = seeming.peer if seeming else None
        return asked or self._names.inner(end)


def _source(sock: socket.socket, ip: str) -> list[tuple[int, int, bytes]]:
    """What tells sendmsg(2) the source address."""
    if sock.getsockname()[0] not in ("0.0.0.0", "::"):
        return []
    raw = socket.inet_aton(ip)
    if sock.family == socket.AF_INET:
        return [(socket.IPPROTO_IP, abi.IP_PKTINFO, _IN_PKTINFO.pack(0, raw, raw))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(bytes(10) + b"\xff\xff" + raw, 0))]
