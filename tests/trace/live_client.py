"""Sent into a pod, a node or the outside: connects to what standard input lists and prints what it got, as JSON.

In: ``[[protocol, address, port, at most so many different answers], …]``. Out: for each the answers, each
``[server's name, client's address that it saw]``, ``"refused"`` or ``"silent"``.
"""

import http.client
import json
import socket
import sys

MOST_TRIES = 60
SILENCE_SECONDS = 0.6


def over_tcp(address, port):
    connection = http.client.HTTPConnection(address, port, timeout=SILENCE_SECONDS)
    answers = []
    for path in ("/hostname", "/clientip"):
        if answers and connection.sock is None:
            raise RuntimeError("the server closed the connection between the two requests")
        connection.request("GET", path)
        answers.append(connection.getresponse().read().decode().strip())
    connection.close()
    return [answers[0], answers[1].rpartition(":")[0]]


def over_udp(address, port):
    answers = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(SILENCE_SECONDS)
        sender.connect((address, port))
        for word in (b"hostname", b"clientip"):
            sender.send(word)
            answers.append(sender.recv(1000).decode().strip())
    return [answers[0], answers[1].rpartition(":")[0]]


def ask(protocol, address, port):
    try:
        return (over_tcp if protocol == "tcp" else over_udp)(address, port)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"


def answers(protocol, address, port, different):
    found = []
    for _ in range(MOST_TRIES):
        answer = ask(protocol, address, port)
        if answer not in found:
            found.append(answer)
        if len(found) >= different:
            break
    return found


print(json.dumps([answers(*question) for question in json.loads(sys.stdin.readline())]))
