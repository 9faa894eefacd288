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
from dataclasses import dataclass
from time import monotonic

from kubelab.engine.network.agent.interposed import abi, sockaddr
from kubelab.engine.network.agent.interposed.connecting import Connecting, receive_limit
from kubelab.engine.network.agent.interposed.messages import Header, headers
from kubelab.engine.network.agent.interposed.names import Names, put_address
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.poller import READ
from kubelab.engine.network.agent.interposed.routing import Map
from kubelab.engine.network.agent.interposed.sockets import End, Held, Sockets
from kubelab.engine.network.agent.interposed.waiting import Waits

UDP_TIMEOUT_SECONDS = 120.0
"""nf_conntrack_udp_timeout_stream: how long a flow keeps its way without traffic."""
_MOST_FLOWS = 4096
_LONGEST = 65_535
_IN6_PKTINFO = struct.Struct("16sI")
_IN_PKTINFO = struct.Struct("I4s4s")
_MSG_WAITFORONE = 0x10000
_LENGTH = struct.Struct("I")

Deliver = Callable[[bytes, bytes], int]
"""(payload, address) → the call's result, once they are in the caller's memory."""


@dataclass
class Flow:
    """A UDP flow, as connection tracking knows it. Cluster addresses, except ``end`` and ``source``."""

    node: str
    client: End
    asked: End
    server: End
    end: End
    source: str
    """The kernel's addresses."""
    until: float

    def line(self) -> str:
        """As ``conntrack -L`` prints it."""
        (src, sport), (dst, dport), (server, port) = self.client, self.asked, self.server
        left = max(0, int(self.until - monotonic()))
        ends = f"src={src} dst={dst} sport={sport} dport={dport} src={server} dst={src} sport={port} dport={sport}"
        return f"udp      17 {left} {ends} [ASSURED] mark=0 use=1"


class Datagrams:
    """Answers the calls that send a datagram to an address or ask whose datagram it is."""

    def __init__(self, places: Map, sockets: Sockets, waits: Waits, connecting: Connecting, names: Names) -> None:
        self._map, self._sockets, self._waits = places, sockets, waits
        self._connecting, self._names = connecting, names
        self._flows: OrderedDict[tuple[int, End], Flow] = OrderedDict()
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
            return CONTINUE if way is None else _send(held, call.read(*call.arguments[1:3]), way, flags)

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
            return CONTINUE if way is None else _send(held, message.payload(), way, flags)

    def _way(self, call: Call, held: Held, to: sockaddr.Address) -> Flow | None:
        """The kernel's addresses for a datagram; None when it leaves the cluster."""
        if to.six and to.ip not in ("::", "::1"):
            return None
        asked = ("127.0.0.1" if to.six else to.ip), to.port
        key, now = (held.inode, asked), monotonic()
        flow = self._flows.get(key)
        if flow is None or flow.until < now:
            port = held.sock.getsockname()[1]
            way = self._map.way(call.context.site, "udp", *asked, port)
            if way.kind == "native":
                return None
            end = self._connecting.end(way, "udp")
            site = call.context.site
            client, server = (site.ip, port), self._names.inner(end)
            flow = Flow(site.node, client, asked, server, end, self._connecting.source(way, site), 0)
            self._flows[key] = flow
            self._asked[held.inode, end] = (to.ip, to.port)
            for table in (self._flows, self._asked):
                while len(table) > _MOST_FLOWS:
                    table.popitem(last=False)
        flow.until = now + UDP_TIMEOUT_SECONDS
        self._sockets.stale(*flow.end)
        return flow

    def flows(self, node: str) -> list[Flow]:
        """The live flows that a node's rules have sent on their way."""
        now = monotonic()
        return [flow for flow in self._flows.values() if flow.node == node and flow.until >= now]

    def forget(self, flow: Flow) -> None:
        """The flow's next datagram asks the rules again."""
        self._flows = OrderedDict((key, each) for key, each in self._flows.items() if each is not flow)

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


def _send(held: Held, data: bytes, flow: Flow, flags: int) -> int:
    """Send from the agent, with the source that the server is to see unless the socket has one of its own."""
    sock = held.sock
    target = sockaddr.for_python(sock.family, *flow.end)
    control: list[tuple[int, int, bytes]] = []
    if sock.getsockname()[0] in ("0.0.0.0", "::"):
        raw = socket.inet_aton(flow.source)
        if sock.family == socket.AF_INET:
            control = [(socket.IPPROTO_IP, abi.IP_PKTINFO, _IN_PKTINFO.pack(0, raw, raw))]
        else:
            mapped = bytes(10) + b"\xff\xff" + raw
            control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(mapped, 0))]
    sent = sock.sendmsg([data], control, flags | socket.MSG_DONTWAIT, target)
    if not flow.client[1]:
        flow.client = flow.client[0], sock.getsockname()[1]  # the kernel has chosen a port just now
    return sent
