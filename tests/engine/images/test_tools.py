"""The stand-ins for curl and dig, beside the real ones where these are installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest

from kubelab.engine.images.agnhost.netexec import Netexec
from kubelab.engine.images.tools import curl, dig, dns_wire

both = pytest.mark.parametrize("real", [False, True], ids=["stand-in", "real"])


def run(main, name: str, real: bool, words: list[str], capfd) -> tuple[int, str, str]:
    if real:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        done = subprocess.run([name, *words], capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stdout, done.stderr
    code = main([name, *words])
    out, err = capfd.readouterr()
    return code, out, "".join(line for line in err.splitlines(True) if "GET /" not in line and "hostname:" not in line)


@both
def test_curl_gets_and_tells_what_it_was_asked_to_tell(serve, capfd, real):
    at = serve(Netexec().handle)
    words = [
        "-s",
        "-S",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}\\n",
        f"http://{at}/echo?msg=hi&code=503",
    ]
    assert run(curl.main, "curl", real, words, capfd) == (0, "503 2\n", "")
    assert run(curl.main, "curl", real, ["-s", f"{at}/hostname"], capfd)[1] == socket.gethostname()


@both
def test_curl_follows_redirects_when_told_to(serve, capfd, real):
    at = serve(Netexec().handle)
    words = ["-sL", "-w", " %{num_redirects}", f"http://{at}/redirect?location=/echo%3Fmsg%3Dthere"]
    assert run(curl.main, "curl", real, words, capfd)[:2] == (0, "there 1")


@both
def test_curl_sends_headers_data_and_a_method(serve, capfd, real):
    at = serve(Netexec().handle)
    words = ["-s", "-H", "Host: shop.lab", "-H", "x-lesson: 1", f"http://{at}/header?key=X-Lesson"]
    assert run(curl.main, "curl", real, words, capfd)[1] == "1"
    assert run(curl.main, "curl", real, ["-s", "-d", "msg=posted", f"http://{at}/echo"], capfd)[1] == "posted"
    out = run(curl.main, "curl", real, ["-sI", f"http://{at}/hostname"], capfd)[1]
    assert out.splitlines()[0] == "HTTP/1.1 200 OK"


@both
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["http://127.0.0.1:{closed}/"], 7),
        (["http://no-such-host.invalid/"], 6),
        (["-f", "http://{at}/echo?code=404"], 22),
        (["--resolve", "shop.lab:{port}:127.0.0.1", "http://shop.lab:{port}/hostname"], 0),
        (["-m", "0.2", "http://{at}/exit?wait=5s&timeout=1s"], 28),
        (["--no-such-option", "http://{at}/"], 2),
        (["gopherx://x/"], 1),
    ],
)
def test_curl_ends_with_the_code_of_what_went_wrong(serve, capfd, real, words, code):
    at = serve(Netexec().handle) if "exit" not in words[-1] else _silent(serve)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    words = [word.format(at=at, port=at.split(":")[1], closed=closed) for word in words]
    assert run(curl.main, "curl", real, ["-sS", *words], capfd)[0] == code


def _silent(serve) -> str:
    wait = threading.Event()

    def handler(request):
        wait.wait(1)
        return Netexec().handle(request)

    return serve(lambda request: handler(request) if request.path != "/exit" else _slow(wait))


def _slow(wait):
    from kubelab.engine.images.http_server import Response

    wait.wait(1)
    return Response(b"late")


def test_curl_says_that_it_is_a_stand_in(capfd):
    assert "kubelab" in run(curl.main, "curl", False, ["--version"], capfd)[1]


def record(name: str, kind: int, data: bytes) -> bytes:
    wire = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    return wire + kind.to_bytes(2) + b"\0\x01\0\0\0\x1e" + len(data).to_bytes(2) + data


@pytest.fixture
def name_server():
    """Knows web.lab (A), _http._tcp.web.lab (SRV) and the reverse of 10.96.0.7; answers NXDOMAIN else."""
    srv = (0).to_bytes(2) + (100).to_bytes(2) + (8080).to_bytes(2) + b"\x03web\x03lab\0"
    known = {
        ("web.lab", 1): record("web.lab", 1, bytes([10, 96, 0, 7])) + record("web.lab", 1, bytes([10, 96, 0, 8])),
        ("_http._tcp.web.lab", 33): record("_http._tcp.web.lab", 33, srv),
        ("7.0.96.10.in-addr.arpa", 12): record("7.0.96.10.in-addr.arpa", 12, b"\x03web\x03lab\0"),
    }
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            message, client = server.recvfrom(4096)
            if message == b"end":
                return
            labels, at = [], 12
            while message[at]:
                labels.append(message[at + 1 : at + 1 + message[at]].decode())
                at += 1 + message[at]
            kind = int.from_bytes(message[at + 1 : at + 3])
            found = known.get((".".join(labels), kind), b"")
            count = (2 if kind == 1 else 1) if found else 0
            flags = b"\x85\x80" if found else b"\x85\x83"
            reply = message[:2] + flags + b"\0\x01" + count.to_bytes(2) + b"\0\0\0\0" + message[12 : at + 5] + found
            server.sendto(reply, client)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"end", server.getsockname())
    thread.join(5)
    server.close()


@both
def test_dig_is_short_when_told_to(name_server, capfd, real):
    at = ["@127.0.0.1", "-p", str(name_server), "+short"]
    assert run(dig.main, "dig", real, [*at, "web.lab"], capfd)[:2] == (0, "10.96.0.7\n10.96.0.8\n")
    assert run(dig.main, "dig", real, [*at, "SRV", "_http._tcp.web.lab"], capfd)[1] == "0 100 8080 web.lab.\n"
    assert run(dig.main, "dig", real, [*at, "-x", "10.96.0.7"], capfd)[1] == "web.lab.\n"
    assert run(dig.main, "dig", real, [*at, "nothing.lab"], capfd)[:2] == (0, "")


@both
def test_dig_shows_the_answer_section(name_server, capfd, real):
    words = ["@127.0.0.1", "-p", str(name_server), "+noall", "+answer", "web.lab", "A"]
    out = run(dig.main, "dig", real, words, capfd)[1]
    lines = [line.split() for line in out.splitlines() if line and not line.startswith(";")]
    assert lines == [["web.lab.", "30", "IN", "A", "10.96.0.7"], ["web.lab.", "30", "IN", "A", "10.96.0.8"]]


@both
def test_dig_names_the_status(name_server, capfd, real):
    out = run(dig.main, "dig", real, ["@127.0.0.1", "-p", str(name_server), "nothing.lab"], capfd)[1]
    assert "status: NXDOMAIN" in out
    assert ";nothing.lab." in out


def test_dig_walks_the_search_list_with_few_dots(name_server, capfd, monkeypatch):
    resolver = dig.Resolver("127.0.0.1", ["shop.svc.lab", "lab"], 5)
    monkeypatch.setattr(dig, "_resolver", lambda path: resolver)
    assert run(dig.main, "dig", False, ["-p", str(name_server), "+search", "+short", "web"], capfd)[1] == (
        "10.96.0.7\n10.96.0.8\n"
    )


def test_dig_without_a_server_ends_with_nine(capfd):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code, out, _ = run(dig.main, "dig", False, ["@127.0.0.1", "-p", str(port), "+time=1", "+tries=1", "x"], capfd)
    assert code == 9
    assert "no servers could be reached" in out


@pytest.mark.parametrize("message", [b"", b"\0" * 5, b"\0\0\x81\x80\0\0\0\x01\0\0\0\0\xc0\x0c"])
def test_a_broken_dns_message_is_refused(message):
    with pytest.raises(dns_wire.BadMessage):
        dns_wire.read(message)
