"""Process 1 of the ingress pod: keeps the Envoys and the controller running, and takes leave of clients at the end.

Whoever of them dies is started again at once. The Envoys do not need the controller to go on serving, nor it them: what
is to be served stands in files. Small, as it stays as long as the pod does: no event loop, the standard library only.
"""

from __future__ import annotations

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

LEAST_DRAIN_SECONDS = 5.0
"""Between SIGTERM and the end: kube-proxy and load balancers need a moment to look elsewhere, and where there is only
one replica, its successor needs one to get ready. Requests are served all the while."""

MOST_DRAIN_SECONDS = 25.0
"""For requests that are under way; kubelet's patience ends after 30 s."""

DRAIN_LOOK_SECONDS = 0.2

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Child:
    """A program that is to run all the time."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str]) -> None:
        self._argv = list(argv)
        self._environment = environment
        self._started = 0.0
        self._pause = 0.0
        self.pid = 0
        self.due: float | None = 0.0
        """When to start it (`time.monotonic`); None while it runs."""

    def start(self) -> None:
        """Start it now."""
        # The supervisor's blocked signals are not for its children.
        self.pid = os.posix_spawn(self._argv[0], self._argv, self._environment, setsigmask=())
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


def run(program: str, folder: Path) -> int:
    """Serve until SIGTERM; ``folder`` is for Envoy's files."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    create(folder)
    environment = dict(os.environ)
    children = [Child(envoy.command(program, folder, port), environment) for port in envoy.ADMIN_PORTS]
    children.append(Child([sys.executable, "-m", "kubelab.engine.ingress", "controller", str(folder)], environment))
    while not _next_signal(children, None):
        pass
    _drain(children)
    for child in children:
        child.signal(signal.SIGTERM)
    return 0


def _next_signal(children: Sequence[Child], longest: float | None) -> bool:
    """Start what is due, then wait for a signal, so many seconds at most; whether it was the order to end."""
    for child in children:
        if child.due is not None and child.due <= time.monotonic():
            child.start()
    waits = [child.due - time.monotonic() for child in children if child.due is not None]
    waits += [longest] if longest is not None else []
    came = signal.sigtimedwait(_SIGNALS, max(min(waits), 0.0)) if waits else signal.sigwaitinfo(_SIGNALS)
    if came is not None and came.si_signo == signal.SIGCHLD:
        _reap(children)
        return False
    return came is not None


def _reap(children: Sequence[Child]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        for child in children:
            if child.pid == pid:
                child.died()
                what = os.path.basename(sys.executable) if child is children[-1] else "envoy"
                print(f"{what} ended with code {os.waitstatus_to_exitcode(status)}; it starts again", flush=True)  # noqa: T201


def _drain(children: Sequence[Child]) -> None:
    """Go on serving, ask clients to make their next connection elsewhere, and wait for requests that are under way."""
    begin = time.monotonic()
    for port in envoy.ADMIN_PORTS:
        _ask_to_leave(port)
    while (passed := time.monotonic() - begin) < MOST_DRAIN_SECONDS:
        if passed >= LEAST_DRAIN_SECONDS and not any(map(_busy, envoy.ADMIN_PORTS)):
            return
        _next_signal(children, DRAIN_LOOK_SECONDS)


def _ask_to_leave(port: int) -> None:
    try:
        admin.ask(port, "/healthcheck/fail", "POST")  # every answer says "Connection: close" from now on
    except admin.NoEnvoy:
        return  # it is being started again, and has no clients


def _busy(port: int) -> bool:
    try:
        return admin.requests_under_way(port) > 0
    except admin.NoEnvoy:
        return False
