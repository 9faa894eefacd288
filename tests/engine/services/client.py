"""Runs in a pod, on a node or outside: connects often, and prints who answered and what went wrong, as JSON.

Arguments: protocol, host, port, how many connections.
"""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 0.7
WORDS = {ConnectionRefusedError: "refused", TimeoutError: "silence", socket.gaierror: "no such name"}


def over_tcp(address):
    with socket.create_connection(address, SECONDS) as connection:
        return connection.recv(100).decode()


def over_udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        client.connect(address)
        client.send(b"who?")
        return client.recv(100).decode()


def ask(_):
    protocol, host, port = sys.argv[1:4]
    try:
        return {"tcp": over_tcp, "udp": over_udp}[protocol]((host, int(port))).split()
    except OSError as error:
        return [WORDS.get(type(error), "no way"), ""]


with ThreadPoolExecutor(8) as pool:
    answers = sorted(pool.map(ask, range(int(sys.argv[4]))))
print(json.dumps([answer for number, answer in enumerate(answers) if answer not in answers[:number]]))
