"""Real programs in interposed pods: whom they reach, and under which addresses each sees the other."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, Program, node, pod

CONTROL_PLANE, WORKER, WORKER2 = nodes()
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

RULES = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-WEB - [0:0]
:KUBE-EXT-WEB - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.244.2.2:53
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-WEB
-A KUBE-EXT-WEB -j KUBE-MARK-MASQ
-A KUBE-EXT-WEB -j KUBE-SVC-WEB
-A KUBE-SVC-WEB ! -s 10.244.0.0/16 -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-WEB -s 10.244.2.2/32 -j KUBE-MARK-MASQ
-A KUBE-SVC-WEB -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080
COMMIT
*filter
-A FORWARD -d 10.96.0.90/32 -p tcp -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -d 10.96.0.91/32 -p tcp -j DROP
-A FORWARD -d 10.96.0.90/32 -p udp -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""

HTTP_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        ends = [self.client_address[0], "%s:%s" % self.connection.getsockname()[:2]]
        body = " ".join([*ends, self.connection.getpeername()[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""

UDP_SERVER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", 53))
    while True:
        data, peer = server.recvfrom(4096)
        server.sendto(data + b" " + peer[0].encode(), peer)
"""


@pytest.fixture
async def web(lab):
    """A client pod on one worker, a server pod on the other, and the rules on every node."""
    await lab.pod("client", WORKER)
    await lab.pod("server", WORKER2)
    for spec in nodes():
        await lab.tool(node(spec.name), ["iptables-restore", "--noflush"], RULES)
    return lab


async def serve(lab, code: str, uid: str = "server", port: int | None = 8080, **stdio):
    """Start a Python server in a pod and wait until it is there."""
    program = Program([PYTHON, "-c", code], env=ENV)
    process = await lab.network.start(pod(uid), program, **{"stdin": None, "stdout": None, "stderr": None} | stdio)
    if port:

        async def there():
            try:
                (await lab.network.connect(node(WORKER2.name), "10.244.2.2", port)).close()
            except ConnectionRefusedError:
                return False
            return True

        await lab.eventually(there)
    return process


async def python(lab, code: str, place=None) -> str:
    """What a Python program says, in the client pod unless another place is given."""
    status, said = await lab.output(place or pod("client"), Program([PYTHON, "-c", code], env=ENV))
    assert status == 0, said
    return said.strip()


FETCH = """
import socket, sys
with socket.create_connection(({ip!r}, {port}), 5) as sock:
    print(sock.getpeername(), sock.getsockname()[0])
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    print(b"".join(iter(lambda: sock.recv(4096), b"")).rpartition(b"\\r\\n")[2].decode())
"""


async def fetch(lab, ip: str, port: int, place=None) -> list[str]:
    """[what the client thinks of its ends, what the server thinks of its]."""
    return (await python(lab, FETCH.format(ip=ip, port=port), place)).splitlines()


async def test_the_client_talks_to_the_cluster_ip_and_the_server_to_the_pod(web):
    await serve(web, HTTP_SERVER)
    assert await fetch(web, "10.96.0.80", 80) == [
        "('10.96.0.80', 80) 10.244.1.2",
        "10.244.1.2 10.244.2.2:8080 10.244.1.2",
    ]


async def test_masquerading_shows_the_node(web):
    await serve(web, HTTP_SERVER)
    assert await fetch(web, "172.18.0.2", 30080, OUTSIDE) == [
        "('172.18.0.2', 30080) 172.18.0.1",
        "172.18.0.2 10.244.2.2:8080 172.18.0.2",
    ]
    assert (await fetch(web, "10.96.0.80", 80, pod("server")))[1].startswith("10.244.2.1 ")
    assert (await fetch(web, "127.0.0.1", 30080, node(CONTROL_PLANE.name)))[1].startswith("172.18.0.2 ")


async def test_localhost_is_the_pods_own(web):
    await serve(web, HTTP_SERVER)
    ends = "127.0.0.1 127.0.0.1:8080 127.0.0.1"
    assert (await fetch(web, "127.0.0.1", 8080, pod("server")))[1] == ends
    with pytest.raises(AssertionError, match="ConnectionRefusedError"):
        await fetch(web, "127.0.0.1", 8080)


async def test_who_listens_on_localhost_only_is_reached_from_there_only(web):
    private = HTTP_SERVER.replace('("", 8080)', '("127.0.0.1", 8080)')
    await serve(web, private, port=None)

    async def there():
        code, _ = await web.output(
            pod("server"), Program([PYTHON, "-c", FETCH.format(ip="127.0.0.1", port=8080)], env=ENV)
        )
        return code == 0

    await web.eventually(there)
    with pytest.raises(AssertionError, match="ConnectionRefusedError"):
        await fetch(web, "10.96.0.80", 80)


async def test_a_dual_stack_server_is_reached_and_sees_mapped_addresses(web):
    dual = "import socket\nserver = socket.create_server(('', 8080), family=socket.AF_INET6, dualstack_ipv6=True)\n"
    dual += "while True:\n  c, a = server.accept()\n"
    dual += "  c.sendall(f'{server.getsockname()[0]} {a[0]}'.encode()); c.close()"
    await serve(web, dual)
    read = "import socket; print(socket.create_connection(('10.96.0.80', 80)).recv(99).decode())"
    assert await python(web, read) == ":: ::ffff:10.244.1.2"


@pytest.mark.parametrize(
    ("ip", "error"),
    [("10.96.0.90", "ConnectionRefusedError"), ("10.96.0.91", "TimeoutError"), ("10.96.0.99", "TimeoutError"),
     ("10.244.2.99", "TimeoutError"), ("172.18.0.77", "Errno 113"), ("10.244.2.2", "ConnectionRefusedError")],
)  # fmt: skip
async def test_what_is_refused_dropped_or_nowhere_fails_as_it_should(web, ip, error):
    script = f"import socket\ntry: socket.create_connection(({ip!r}, 80), 0.5)\nexcept OSError as e: print(repr(e), e)"
    assert error in await python(web, script)


async def test_a_dropped_connection_hangs_a_blocking_client_until_it_is_killed(web):
    program = Program([PYTHON, "-c", "import socket; socket.socket().connect(('10.96.0.91', 80))"], env=ENV)
    process = await web.network.start(pod("client"), program, stdin=None, stdout=None, stderr=None)
    waiting = asyncio.create_task(process.wait())
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    await process.signal(signal.SIGKILL)
    assert await waiting == 137


async def test_udp_comes_back_from_the_address_that_was_asked(web):
    await serve(web, UDP_SERVER, port=None)
    ask = """
import socket
def ask(sock, ip):
    sock.settimeout(0.2)
    for _ in range(25):
        try:
            sock.sendto(b"hi", (ip, 53))
            data, peer = sock.recvfrom(100)
            return data.decode(), peer[0]
        except (TimeoutError, ConnectionRefusedError): pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    print(*ask(sock, "10.96.0.10"))
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
    print(*ask(sock, "::ffff:10.96.0.10"))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(5)
    sock.bind(("0.0.0.0", 0))
    sock.connect(("10.96.0.10", 53))
    sock.send(b"hi")
    data, peer = sock.recvfrom(100)
    print(data.decode(), peer[0])
    sock.sendmsg([b"h", b"i"])
    print(sock.recvmsg(100)[0].decode(), sock.getpeername()[0])
"""
    expected = ["hi 10.244.1.2 10.96.0.10", "hi 10.244.1.2 ::ffff:10.96.0.10"]
    expected += ["hi 10.244.1.2 10.96.0.10"] * 2
    assert (await python(web, ask)).splitlines() == expected


async def test_a_pod_hears_its_own_answer_through_its_service_by_udp(web):
    """Hairpin: the server sees the node, and its answer still finds the socket that asked."""
    own = "*nat\n-I KUBE-SERVICES -s 10.244.2.2/32 -d 10.96.0.10/32 -p udp -j KUBE-MARK-MASQ\nCOMMIT\n"
    await web.tool(node(WORKER2.name), ["iptables-restore", "--noflush"], own)
    await serve(web, UDP_SERVER, port=None)
    ask = """
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(0.2)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            sock.sendto(b"hi", ("10.96.0.10", 53))
            print(*[word.decode() if isinstance(word, bytes) else word[0] for word in sock.recvfrom(100)])
            break
        except (TimeoutError, ConnectionRefusedError): pass
"""
    assert await python(web, ask, pod("server")) == "hi 10.244.2.1 10.96.0.10"
    listed = (await web.tool(node(WORKER2.name), ["conntrack", "-L", "-p", "udp"])).stdout.decode()
    assert "src=10.244.2.2 dst=10.96.0.10" in listed and "src=10.244.2.2 dst=10.244.2.1 sport=53" in listed


CONNECTED = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(0.2)
sock.connect(({ip!r}, 53))
def ask(once):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            sock.send(b"hi")
            return sock.recv(100).decode()
        except (TimeoutError, ConnectionRefusedError) as error:
            if once: return type(error).__name__
print(ask({once}), flush=True)
sys.stdin.readline()
print(ask(False), flush=True)
"""


@asynccontextmanager
async def connected(lab, ip: str, *, once: bool = False):
    """A client with one connected UDP socket: a function that reads a line of it, another that lets it go on."""
    source, feed = os.pipe()
    reader, writer = os.pipe()
    program = Program([PYTHON, "-c", CONNECTED.format(ip=ip, once=once)], env=ENV)
    process = await lab.network.start(pod("client"), program, stdin=source, stdout=writer, stderr=None)
    os.close(source)
    os.close(writer)
    with os.fdopen(reader) as said, os.fdopen(feed, "w") as told:

        async def line() -> str:
            return (await asyncio.to_thread(said.readline)).strip()

        def go_on() -> None:
            told.write("go on\n")
            told.flush()

        yield line, go_on
    assert await process.wait() == 0


async def test_a_connected_socket_goes_on_to_a_live_pod_when_its_flow_is_deleted(web):
    await web.pod("next", WORKER2, last=3)
    await serve(web, UDP_SERVER, port=None)
    await serve(web, UDP_SERVER.replace('b" " + peer', 'b" next " + peer'), uid="next", port=None)
    async with connected(web, "10.96.0.10") as (line, go_on):
        assert await line() == "hi 10.244.1.2"
        changed = "*nat\n-I KUBE-SERVICES -d 10.96.0.10/32 -p udp -j DNAT --to-destination 10.244.2.3:53\nCOMMIT\n"
        await web.tool(node(WORKER.name), ["iptables-restore", "--noflush"], changed)
        await web.tool(node(WORKER.name), ["conntrack", "-D", "-p", "udp", "-r", "10.244.2.2"])
        go_on()
        assert await line() == "hi next 10.244.1.2"


async def test_a_connected_socket_that_was_refused_is_answered_once_the_rules_lead_to_somebody(web):
    await serve(web, UDP_SERVER, port=None)
    async with connected(web, "10.96.0.90", once=True) as (line, go_on):
        assert await line() == "ConnectionRefusedError"
        changed = "*nat\n-I KUBE-SERVICES -d 10.96.0.90/32 -p udp -j DNAT --to-destination 10.244.2.2:53\nCOMMIT\n"
        await web.tool(node(WORKER.name), ["iptables-restore", "--noflush"], changed)
        go_on()
        assert await line() == "hi 10.244.1.2"


async def test_a_refused_datagram_is_told_to_a_connected_socket(web):
    script = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
sock.connect(("10.96.0.90", 53))
sock.send(b"x")
try: sock.recv(10)
except OSError as error: print(type(error).__name__)
"""
    assert await python(web, script) == "ConnectionRefusedError"


async def test_hundreds_of_connections_at_once(web):
    server = """
import asyncio
async def answer(reader, writer):
    writer.write(writer.get_extra_info("peername")[0].encode())
    writer.close()
async def main():
    async with await asyncio.start_server(answer, "0.0.0.0", 8080, backlog=500) as server:
        await server.serve_forever()
asyncio.run(main())
"""
    await serve(web, server)
    client = """
import asyncio, collections
async def ask():
    reader, writer = await asyncio.open_connection("10.96.0.80", 80)
    answer = await reader.read()
    writer.close()
    return answer.decode()
async def main():
    print(*collections.Counter(await asyncio.gather(*(ask() for _ in range(300)))).items())
asyncio.run(main())
"""
    assert await python(web, client) == "('10.244.1.2', 300)"


async def test_a_blocking_accept_hears_signals_and_gives_its_port_back(web):
    server = """
import signal, socket, sys
server = socket.create_server(("0.0.0.0", 8080))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
while True:
    server.accept()[0].close()
"""
    process = await serve(web, server)
    await process.signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 7
    process = await serve(web, server)
    await process.signal(signal.SIGKILL)
    await process.wait()
    with pytest.raises(ConnectionRefusedError):
        await web.network.connect(node(WORKER.name), "10.244.2.2", 8080)


async def test_a_server_that_closed_its_listener_refuses_while_it_lives(web):
    server = "import socket, time\nserver = socket.create_server(('0.0.0.0', 8080))\nserver.accept()[0].close()\n"
    server += "server.close()\nserver = socket.create_server(('0.0.0.0', 8081))\nserver.accept()\ntime.sleep(600)"
    await serve(web, server)
    await serve_second(web)
    with pytest.raises(ConnectionRefusedError):
        await web.network.connect(node(WORKER.name), "10.244.2.2", 8080)


async def serve_second(lab):
    """Wait for the second port of a server that has left its first."""

    async def there():
        try:
            (await lab.network.connect(node(WORKER2.name), "10.244.2.2", 8081)).close()
        except ConnectionRefusedError:
            return False
        return True

    await lab.eventually(there)


async def test_accept_with_a_time_limit_and_threads(web):
    server = """
import socket, threading
with socket.create_server(("0.0.0.0", 8080)) as server:
    import struct
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
    results = []
    def accept():
        try: server.accept()
        except BlockingIOError: results.append("timed out")
    threads = [threading.Thread(target=accept) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(*results, sep=",")
"""
    assert await python(web, server) == "timed out,timed out,timed out"


async def test_a_strangers_server_on_all_addresses_is_not_the_pods_and_does_not_take_its_port(web):
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await web.network.connect(node(WORKER.name), "10.244.2.2", port)
        await serve(web, HTTP_SERVER.replace("8080", str(port)), port=port)
        ends = f"10.244.1.2 10.244.2.2:{port} 10.244.1.2"
        assert (await fetch(web, "10.244.2.2", port))[1] == ends


async def test_wrong_pointers_and_descriptors_get_the_kernels_errors(web):
    script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def error(name, *arguments):
    ctypes.set_errno(0)
    getattr(libc, name)(*arguments)
    return os.strerror(ctypes.get_errno())
fd = libc.socket(2, 1, 0)
udp = libc.socket(2, 2, 0)
bad = ctypes.c_void_p(8)
address = b"\\2\\0\\0\\x50" + bytes([10, 96, 0, 80]) + bytes(8)
print(error("connect", fd, bad, 16), error("connect", 99, address, 16), error("connect", 0, address, 16), sep=", ")
print(error("bind", fd, bad, 16), error("accept", fd, bad, bad), error("getsockname", fd, bad, bad), sep=", ")
print(error("sendto", udp, b"x", 1, 0, bad, 16), error("sendmsg", udp, bad, 0), sep=", ")
print(error("recvmsg", udp, bad, 64), error("recvmmsg", udp, bad, 1, 64, None), sep=", ")
print(error("open", bad, 0), error("uname", bad), sep=", ")
"""
    assert (await python(web, script)).splitlines() == [
        "Bad address, Bad file descriptor, Socket operation on non-socket",
        "Bad address, Invalid argument, Bad address",
        "Bad address, Bad address",
        "Bad address, Bad address",
        "Bad address, Bad address",
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_curl_reaches_a_name_from_the_pods_hosts_file(web):
    await serve(web, HTTP_SERVER)
    said = await web.shell("client", "curl -sS -m 5 http://web/", files={"/etc/hosts": "10.96.0.80 web\n"})
    assert said.startswith("10.244.1.2 ")


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
async def test_node_js_serves_and_asks(web):
    server = "require('http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(8080)"
    program = Program(["node", "-e", server], env=ENV)
    await web.network.start(pod("server"), program, stdin=None, stdout=None, stderr=None)

    async def there():
        try:
            (await web.network.connect(node(WORKER2.name), "10.244.2.2", 8080)).close()
        except ConnectionRefusedError:
            return False
        return True

    await web.eventually(there, 20)
    ask = "require('http').get('http://10.96.0.80/', "
    ask += "r => r.on('data', d => console.log(r.socket.remoteAddress, `${d}`)))"
    code, said = await web.output(pod("client"), Program(["node", "-e", ask], env=ENV))
    assert (code, said.strip()) == (0, "10.96.0.80 ::ffff:10.244.1.2")


async def test_many_sockets_leave_no_descriptor_in_the_agent(web):
    await serve(web, HTTP_SERVER)

    def descriptors() -> int:
        guard = web.network._agent.process.pid
        (agent,) = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
        return len(os.listdir(f"/proc/{agent}/fd"))

    many = "import socket, urllib.request\nfor _ in range(150):\n  socket.socket().close()\n"
    many += "  with urllib.request.urlopen('http://10.96.0.80/') as answer: answer.read()\n"
    await python(web, many)
    before = descriptors()
    await python(web, many)
    assert descriptors() <= before + 5
