"""``accept``, ``getsockname`` and ``getpeername``: sockets and peers under their cluster addresses."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import OrderedDict, deque

from kubelab.engine.network.agent.interposed import abi, sockaddr
from kubelab.engine.network.agent.interposed.addresses import LOCALHOST, AddressPlan
from kubelab.engine.network.agent.interposed.connecting import receive_limit
from kubelab.engine.network.agent.interposed.notify import CONTINUE, LATER, Answer, Call, Unreachable
from kubelab.engine.network.agent.interposed.poller import READ
from kubelab.engine.network.agent.interposed.sockets import INTERNET, End, Sockets
from kubelab.engine.network.agent.interposed.stands import Stands
from kubelab.engine.network.agent.interposed.waiting import Waits

_LENGTH = struct.Struct("I")
_MOST_RETURNED = 256


def put_address(call: Call, address: int, length_at: int, data: bytes) -> None:
    """Fill in a ``struct sockaddr *`` and the ``socklen_t *`` beside it, cut to the room there is."""
    room = _LENGTH.unpack(call.read(length_at, 4))[0]
    call.write(address, data[:room])
    call.write(length_at, _LENGTH.pack(len(data)))


class Names:
    """Answers the calls that tell a socket's addresses."""

    def __init__(self, plan: AddressPlan, stands: Stands, sockets: Sockets, waits: Waits) -> None:
        self._plan, self._stands, self._sockets, self._waits = plan, stands, sockets, waits
        self._accept4 = abi.machine().calls["accept4"]
        self._returned: OrderedDict[int, deque[socket.socket]] = OrderedDict()
        """Listener → connections that were accepted for a call that a signal took away."""

    def getsockname(self, call: Call) -> Answer:
        """The socket's own address."""
        return self._tell(call, peer=False)

    def getpeername(self, call: Call) -> Answer:
        """The other end: what the program connected to, not what the rules made of it."""
        return self._tell(call, peer=True)

    def inner(self, address: End) -> End:
        """What a program is shown for an address of the kernel."""
        ip, port = address
        return (self._plan.inner(ip), self._stands.inner_port(ip, port)) if self._plan.ours(ip) else address

    def _peer(self, sock: socket.socket) -> End:
        return self.inner(sockaddr.from_python(sock.getpeername()))

    def _local(self, sock: socket.socket) -> End:
        """Who is called from its own localhost is called there, also when it listens on all addresses."""
        ip, port = self.inner(sockaddr.from_python(sock.getsockname()))
        try:
            return (LOCALHOST, port) if self._peer(sock)[0] == LOCALHOST else (ip, port)
        except OSError:  # not connected
            return ip, port

    def _tell(self, call: Call, *, peer: bool) -> Answer:
        fd = call.descriptor(0)
        try:
            held = self._sockets.of(call, fd)
        except Unreachable:
            return self._tell_remembered(call, self._sockets.inode(call, fd), peer=peer)
        with held:
            sock = held.sock
            if sock.family not in INTERNET:
                return CONTINUE
            ip, port = self._peer(sock) if peer else self._local(sock)
            seeming = self._sockets.seemings.get(held.inode)
            if seeming and peer:
                ip, port = seeming.peer or (ip, port)
            elif seeming and (port or seeming.local_port):
                ip, port = seeming.local_ip or ip, seeming.local_port or port
            put_address(call, call.arguments[1], call.arguments[2], sockaddr.build(sock.family, ip, port))
        return 0

    def _tell_remembered(self, call: Call, inode: int, *, peer: bool) -> Answer:
        """For a connection of which the agent has no copy."""
        seeming = self._sockets.seemings.get(inode)
        if seeming is None or seeming.peer is None or not seeming.family:
            return CONTINUE
        if peer:
            end = seeming.peer
        elif seeming.local_port is not None:
            end = (seeming.local_ip, seeming.local_port)
        else:
            return CONTINUE
        put_address(call, call.arguments[1], call.arguments[2], sockaddr.build(seeming.family, *end))
        return 0

    def accept(self, call: Call) -> Answer:
        """Accept for the caller, to say who called."""
        flags = call.descriptor(3) if call.number == self._accept4 else 0
        with self._sockets.of(call, call.descriptor(0)) as held:
            if held.proto != "tcp":
                return CONTINUE
            try:
                return self._accept_one(call, held.sock, held.inode, flags)
            except BlockingIOError:
                if not held.blocking:
                    raise
            return self._waits.add(
                call,
                held.sock,
                READ,
                lambda sock: self._accept_ready(call, sock, held.inode, flags),
                seconds=receive_limit(held.sock),
                late=errno.EAGAIN,
            )

    def _accept_ready(self, call: Call, sock: socket.socket, inode: int, flags: int) -> Answer:
        try:
            return self._accept_one(call, sock, inode, flags)
        except BlockingIOError:  # another process was quicker
            return LATER

    def _accept_one(self, call: Call, listener: socket.socket, inode: int, flags: int) -> Answer:
        connection = self._take_returned(inode) or _accept_at_once(listener)
        try:
            connection.setblocking(not flags & socket.SOCK_NONBLOCK)
            peer, local = self._peer(connection), self._local(connection)
            if not self._sockets.lendable:
                seeming = self._sockets.seeming(os.fstat(connection.fileno()).st_ino)
                (seeming.local_ip, seeming.local_port), seeming.peer = local, peer
                seeming.family = connection.family
            if call.arguments[1]:
                data = sockaddr.build(connection.family, *peer)
                put_address(call, call.arguments[1], call.arguments[2], data)
            call.give(connection.fileno(), close_on_exec=bool(flags & socket.SOCK_CLOEXEC))
        except OSError as error:
            if error.errno == errno.ENOENT:
                self._return(inode, connection)
                return LATER
            connection.close()
            if error.errno == errno.ENOTCONN:  # it has been reset already
                raise ConnectionAbortedError(errno.ECONNABORTED, os.strerror(errno.ECONNABORTED)) from error
            raise
        except Unreachable:
            self._return(inode, connection)
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
        connection.close()
        return LATER

    def _take_returned(self, inode: int) -> socket.socket | None:
        waiting = self._returned.get(inode)
        return waiting.popleft() if waiting else None

    def _return(self, inode: int, connection: socket.socket) -> None:
        """Keep a connection for the listener's next ``accept``."""
        self._returned.setdefault(inode, deque()).append(connection)
        self._returned.move_to_end(inode)
        if len(self._returned) > _MOST_RETURNED:
            for old in self._returned.popitem(last=False)[1]:
                old.close()


def _accept_at_once(listener: socket.socket) -> socket.socket:
    """accept(2) without waiting. Whether the socket waits is a property that the caller shares."""
    blocking = os.get_blocking(listener.fileno())
    if blocking:
        os.set_blocking(listener.fileno(), False)
    try:
        return listener.accept()[0]
    finally:
        if blocking:
            os.set_blocking(listener.fileno(), True)
