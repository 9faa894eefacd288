"""Run in a pod: how long ``connect`` takes to each of some addresses, in turns, so that a busy moment hits them all.

``connects.py TURNS ADDRESS:PORT …`` prints the 5th percentile for each address, in microseconds: a JSON list. The
low end tells what the kernel needs; what is above it, who else was using the machine.
"""

import json
import socket
import struct
import sys
import time


def connect(address: tuple[str, int]) -> float:
    """Microseconds; the connection is reset at once, so that nothing of it stays."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.settimeout(5)
        begin = time.perf_counter_ns()
        one.connect(address)
        return (time.perf_counter_ns() - begin) / 1000


turns, *ends = sys.argv[1:]
addresses = [(host, int(port)) for host, _, port in (end.partition(":") for end in ends)]
times = [sorted(each) for each in zip(*([connect(a) for a in addresses] for _ in range(int(turns))), strict=True)]
print(json.dumps([each[len(each) // 20] for each in times]))
