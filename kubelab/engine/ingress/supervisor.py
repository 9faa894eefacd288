"""Process 1 of the ingress pod: keeps the Envoys and the controller running, and takes leave of clients at the end.

Whoever of them dies is started again at once. The Envoys do not need the controller to go on serving, nor it them: what
is to be served stands in files. Small, as it stays as long as the pod does: no event loop, the standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kubelab.engine.ingress import admin, envoy
from kubelab.engine.ingress.files import create

QUICK_DEATH_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
"""Before a program that dies as soon as it is started is started again."""

LEAST_DRAIN_SECONDS = 8.0
"""Between SIGTERM and the end: kube-proxy and load balancers need a moment to look elsewhere, and where there is only
one replica, its successor needs one to get ready. Requests are served all the while."""

MOST_DRAIN_SECONDS = 25.0
"""For requests that are under way; kubelet's patience ends after 30 s."""

DRAIN_LOOK_SECONDS = 0.2

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Child:
    """A program that is to run all the time."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        self.name = name
        self._argv = list(argv)
        self._started = 0.0
        self._pause = 0.0
        self.pid = 0
        self.due: float | None = 0.0
        """When to start it (`time.monotonic`); None while it runs."""

    def is_due(self) -> bool:
        """Whether it is time to start it."""
        return self.due is not None and self.due <= time.monotonic()

    def start(self) -> None:
        """Start it now."""
        # The supervisor's blocked signals are not for its children.
        self.pid = os.posix_spawn(self._argv[0], self._argv, os.environ, setsigmask=())
        self._started, self.due = time.monotonic(), None

    def died(self) -> None:
        """It is to start again: at once, unless it dies too quickly."""
        now = time.monotonic()
        if now - self._started > QUICK_DEATH_SECONDS:
            self._pause = 0.0
        else:
            self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self.pid, self.due = 0, now + self._pause

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.pid:
            os.kill(self.pid, number)


class Supervisor:
    """Its children are those of the process that calls `run`."""

    def __init__(self, envoys: Sequence[Child], controller: Child, folder: Path, ports: Sequence[int]) -> None:
        """``folder`` holds Envoy's files, ``ports`` are for the Envoys' administration."""
        self._envoys, self._controller = envoys, controller
        self._folder, self._ports = folder, ports

    def run(self) -> None:
        """Serve until SIGTERM, and until clients have left."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while not self._next_signal(None):
            pass
        self._drain()
        for child in (*self._envoys, self._controller):
            child.signal(signal.SIGTERM)

    def _next_signal(self, longest: float | None) -> bool:
        """Start what is due, then wait for a signal, so many seconds at most; whether it was the order to end."""
        self._start()
        children = (*self._envoys, self._controller)
        waits = [child.due - time.monotonic() for child in children if child.due is not None]
        waits += [longest] if longest is not None else []
        came = signal.sigtimedwait(_SIGNALS, max(min(waits), 0.0)) if waits else signal.sigwaitinfo(_SIGNALS)
        if came is not None and came.si_signo == signal.SIGCHLD:
            self._reap()
            return False
        return came is not None

    def _start(self) -> None:
        for child in (*self._envoys, self._controller):
            if child.is_due():
                child.start()
                if child is not self._controller and not readable(self._folder):
                    say("a file of Envoy's cannot be read; the controller writes all of them anew")
                    self._controller.signal(signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in (*self._envoys, self._controller):
                if child.pid == pid:
                    child.died()
                    say(f"{child.name} ended with code {os.waitstatus_to_exitcode(status)}; it starts again")

    def _drain(self) -> None:
        """Go on serving, ask clients to connect elsewhere next time, and wait for requests that are under way."""
        begin = time.monotonic()
        asked = [_ask_to_leave(port) for port in self._ports]
        if not any(asked):
            return
        while (passed := time.monotonic() - begin) < MOST_DRAIN_SECONDS:
            if passed >= LEAST_DRAIN_SECONDS and not any(map(_busy, self._ports)):
                return
            self._next_signal(DRAIN_LOOK_SECONDS)


def run(program: str, folder: Path) -> int:
    """Serve with this Envoy until SIGTERM; ``folder`` is for its files."""
    create(folder)
    envoys = [Child("Envoy", envoy.command(program, folder, port)) for port in envoy.ADMIN_PORTS]
    controller = Child("the controller", [sys.executable, "-m", "kubelab.engine.ingress", "controller", str(folder)])
    Supervisor(envoys, controller, folder, envoy.ADMIN_PORTS).run()
    return 0


def readable(folder: Path) -> bool:
    """Whether each of Envoy's files is whole: somebody may have been at them who does not replace them in one step."""
    for file in folder.glob("[!.]*.json"):
        try:
            json.loads(file.read_bytes())
        except FileNotFoundError:
            continue
        except ValueError:
            return False
    return True


def say(text: str) -> None:
    """A line of the pod's log."""
    os.write(1, f"[INFO] {text}\n".encode())  # in one piece: the Envoys write to the same pipe


def _ask_to_leave(port: int) -> bool:
    """Whether there is an Envoy; every answer of it says "Connection: close" from now on."""
    try:
        admin.ask(port, "/healthcheck/fail", "POST")
    except admin.NoEnvoy:
        return False
    return True


def _busy(port: int) -> bool:
    try:
        return admin.requests_under_way(port) > 0
    except admin.NoEnvoy:
        return False
