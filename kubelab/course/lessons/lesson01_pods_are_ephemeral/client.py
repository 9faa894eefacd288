"""The customer of task 1.2: asks TARGET (host:port) again and again, over a new connection each time.

It writes one JSON line a request: its number, whether it was answered, by which pod (uid), and which Host header the
server saw. It knows no more of Kubernetes than any other program does.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time

TARGET = os.environ["TARGET"]
RATE = float(os.environ.get("RATE", "20"))
TIMEOUT_SECONDS = 2.0
WRITING = threading.Lock()


def ask() -> dict[str, object]:
    """One request and what came of it."""
    connection = http.client.HTTPConnection(TARGET, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = json.loads(connection.getresponse().read())
        return {"ok": True, "uid": answer["uid"], "host": answer["host"]}
    except socket.gaierror:
        return {"ok": False, "error": "DNS"}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"ok": False, "error": type(error).__name__}
    finally:
        connection.close()


def report(number: int) -> None:
    """Send one request and write its line."""
    line = json.dumps({"n": number, **ask()}) + "\n"
    with WRITING:
        sys.stdout.write(line)
        sys.stdout.flush()


def main() -> None:
    """Ask at the given rate until SIGTERM, on the beat even while earlier requests wait for their answers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    began = time.monotonic()
    for number in itertools.count():
        threading.Thread(target=report, args=(number,), daemon=True).start()
        time.sleep(max(0.0, began + (number + 1) / RATE - time.monotonic()))


if __name__ == "__main__":
    main()
