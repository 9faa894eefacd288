"""Runs in a pod: says who it is, and whom it sees, to everybody who connects by TCP or sends a datagram."""

import os
import socket
import sys
import threading

PORTS = [int(port) for port in sys.argv[1:]]
NAME = os.environ["NAME"]


def over_tcp(port: int) -> None:
    with socket.create_server(("", port), backlog=128) as listener:
        while True:
            connection, peer = listener.accept()
            with connection:
                connection.sendall(f"{NAME} {peer[0]}".encode())


def over_udp(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", port))
        while True:
            _, peer = server.recvfrom(100)
            server.sendto(f"{NAME} {peer[0]}".encode(), peer)


for number in PORTS:
    for serve in (over_tcp, over_udp):
        threading.Thread(target=serve, args=(number,)).start()
