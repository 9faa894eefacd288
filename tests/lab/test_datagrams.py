"""A record of datagrams, from a client program whose lines a test writes; and the program itself against a socket."""

import json
import socket
import subprocess
import threading

import pytest

from kubelab.lab.datagrams import CLIENTS, Datagrams
from kubelab.lab.errors import LabError
from kubelab.lab.shell import CLIENT_ARGV, client_input


class Written:
    """A client whose lines are all there at once."""

    def __init__(self, lines):
        self.lines = lines
        self.told = threading.Event()

    def results(self, timeout_seconds, began):
        began()
        yield from self.lines
        self.told.wait(10)

    def stop(self):
        self.told.set()


def sent(client, at, pod="", port=40000):
    answered = {"pod": pod, "uid": f"uid-{pod}", "peer": "a", "peer_port": port} if pod else {}
    return {"client": client, "at": at, "seconds": 0.001, "error": "" if pod else "silence", **answered}


def recorded(lines):
    later = [sent("fixed", 1e6 + n, lines[-1].get("pod", "")) for n in range(20)]
    record = Datagrams("echo:53", ["fixed"], lambda: Written([*lines, *later]), str, clock=lambda: 0.0)
    with record:
        record.mark("web-1 deleted")
    record._all = [each for each in record._all if each.at < 1e6]
    return record


def beat(pod, start, stop):
    return [sent("fixed", tenth / 10, pod) for tenth in range(start * 10, stop * 10)]


def test_a_gap_is_told_with_a_bound_and_the_pods_in_the_order_of_their_answers():
    record = recorded([*beat("b", 0, 2), *beat("", 2, 5), *beat("a", 5, 7)])
    assert record.fate("fixed") == "silent for less than 5 s, then answered again"
    assert record.pods("fixed") == ["b", "a"]
    assert (record.ports("fixed"), record.server()) == (1, "a")
    assert repr(record) == "Datagrams(one port: more than one pod, no gap of 5 s)"


def test_one_lost_datagram_is_no_gap_and_lost_ones_at_the_end_are():
    assert recorded([*beat("a", 0, 2), sent("fixed", 2.0), *beat("a", 3, 4)][:21]).fate("fixed") == "no gap to speak of"
    assert recorded([*beat("a", 0, 2), *beat("", 2, 4)]).fate("fixed") == "answered at first, then never again"
    assert recorded(beat("", 0, 2)).fate("fixed") == "never answered"
    with pytest.raises(LabError, match="Nobody has answered"):
        recorded(beat("", 0, 2)).server()


def test_the_first_answer_of_another_pod_is_found_and_its_absence_too():
    record = recorded([*beat("a", 0, 1), *beat("", 1, 2), *beat("b", 2, 3)])
    found = record.answers("fixed", "uid-a", 1)
    assert (found.pod, found.at) == ("b", 2.0)
    assert record.answers("fixed", "uid-b", 1) is None


def test_the_picture_has_a_row_for_every_pod_and_one_for_what_was_lost():
    axes = recorded([*beat("a", 0, 1), *beat("", 1, 2)]).plot().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one port → a", "one port → no answer"]


def test_a_target_without_a_port_and_an_unknown_client_are_refused(lab_with_web):
    with pytest.raises(LabError, match="written with a port"):
        lab_with_web.datagrams("web")
    with pytest.raises(LabError, match="'fixed' and 'fresh'"):
        lab_with_web.datagrams("web:53", clients=["other"])


def test_the_program_keeps_one_port_and_takes_fresh_ones_and_ends_when_told():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(10)
    port = server.getsockname()[1]
    job = {"host": "127.0.0.1", "port": port, "clients": list(CLIENTS), "rate": 200, "timeout": 5}
    argv = list(CLIENT_ARGV)
    with server, subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        client.stdin.write(client_input(job, "datagram_program.py"))
        client.stdin.flush()
        assert json.loads(client.stdout.readline()) == {"began": True}
        for _ in range(20):
            said, peer = server.recvfrom(100)
            told = {"said": said.decode(), "pod": "p", "uid": "u", "peer": peer[0], "peer_port": peer[1]}
            server.sendto(json.dumps(told).encode(), peer)
        lines = [json.loads(client.stdout.readline()) for _ in range(20)]
        client.stdin.write("\n")
        client.stdin.flush()
        client.communicate(timeout=20)
    ports = {kind: {line["peer_port"] for line in lines if line["client"] == kind} for kind in CLIENTS}
    assert (len(ports["fixed"]), len(ports["fresh"])) == (1, 10)
    assert not any(line["error"] for line in lines)
