"""The lesson's app: the lessons' server, with what real programs have besides. Runs beside server.py in a ConfigMap.

GET /live          200 as long as it is well; GET /hang answers, and from now on /live is answered with 503
GET /slow/SECONDS  answers after so many seconds, as a long download does
GET /busy          200 while some other request is being answered, else 503
GET /ready, /sick, /well, /served, /   as in server.py; every other path is answered with 404

It listens START_SECONDS after its start. What becomes of it on SIGTERM, ON_SIGTERM says:
exit    it ends at once, whoever is being answered
ignore  it goes on as if nothing had been said
drain   for DRAIN_SECONDS it answers everybody, with "Connection: close"; then it finishes what it has begun, and ends
Each of these is one line in its log, the moment it happens.
"""

from __future__ import annotations

import os
import signal
import threading
import time

import server

START_SECONDS = float(os.environ.get("START_SECONDS", "0"))
ON_SIGTERM = os.environ.get("ON_SIGTERM", "exit")
HUNG = threading.Event()
KNOWN = ("/", "/ready", "/sick", "/well", "/served")


class InFlight:
    """Counts the requests that are being answered."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0

    def add(self, number: int) -> None:
        """One more, or one less."""
        with self.changed:
            self.count += number
            self.changed.notify_all()

    def finish(self) -> None:
        """Wait until none is left."""
        with self.changed:
            self.changed.wait_for(lambda: self.count == 0)


IN_FLIGHT = InFlight()


class Handler(server.Handler):
    """Answers requests."""

    def do_GET(self) -> None:
        """Answer by path."""
        IN_FLIGHT.add(1)
        try:
            self.by_path()
        finally:
            IN_FLIGHT.add(-1)

    def by_path(self) -> None:
        """What do_GET does, counted."""
        if self.path == "/hang":
            HUNG.set()
        if self.path in ("/live", "/hang"):
            self.answer({"alive": not HUNG.is_set()}, 503 if HUNG.is_set() and self.path == "/live" else 200)
        elif self.path.startswith("/slow/"):
            time.sleep(float(self.path.split("/")[2]))
            self.echo()
        elif self.path == "/busy":
            self.answer({"others": IN_FLIGHT.count - 1}, 200 if IN_FLIGHT.count > 1 else 503)
        elif self.path in KNOWN:
            super().do_GET()
        else:
            self.answer({"error": f"there is no {self.path} here"}, 404)


def say(what: str) -> None:
    """A line of the log, written at once, also from a signal handler."""
    os.write(1, f"{what}\n".encode())


def on_sigterm(*_: object) -> None:
    """Do what ON_SIGTERM says."""
    say("SIGTERM")
    if ON_SIGTERM == "exit":
        os._exit(0)
    if ON_SIGTERM == "drain":
        server.ASKED_TO_STOP.set()


def main() -> None:
    """Start, serve, drain."""
    signal.signal(signal.SIGTERM, on_sigterm)
    time.sleep(START_SECONDS)
    serving = server.Server(("", server.PORT), Handler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    say("serving")
    while not server.ASKED_TO_STOP.wait(1):
        pass
    time.sleep(server.DRAIN_SECONDS)
    IN_FLIGHT.finish()
    say("drained")


if __name__ == "__main__":
    main()
