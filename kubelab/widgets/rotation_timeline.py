"""A certificate that is replaced while new connections come: what each of them got, live."""

from __future__ import annotations

import threading
import time
import weakref
from html import escape
from typing import Any

import anywidget
import traitlets

from kubelab.clusters.base import ClusterError
from kubelab.lab.authority import names_in
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.tls_watch import Event, TlsWatch
from kubelab.widgets import rotation_pictures as pictures
from kubelab.widgets.assets import joined

DRAW_SECONDS = 0.3
SHOWN_SECONDS = 20.0
"""How much of the past is shown while it runs."""
LONGEST_SECONDS = 600.0
"""A panel that is forgotten stops after ten minutes."""


class RotationTimeline(anywidget.AnyWidget):
    """``RotationTimeline(lab, "shop.example.test")``: new TLS connections all the time, and a button that rotates.

    `start`, `stop`, `rotate` and `close` do what the buttons do; ``record`` has what came (`TlsWatch`). Given a record
    of `Lab.watch_tls` it shows that one. ``rate`` and the others: as for `Lab.watch_tls`.
    """

    _esm = joined("dom.js", "rotation_timeline.js")
    _css = joined("common.css", "rotation_timeline.css")
    host = traitlets.Unicode(help="Whom hands are shaken with.").tag(sync=True)
    picture = traitlets.Unicode(help="The handshakes over time, as SVG.").tag(sync=True)
    sentence = traitlets.Unicode(help="What came of them.").tag(sync=True)
    problem = traitlets.Unicode(help="What went wrong.").tag(sync=True)
    running = traitlets.Bool(False, help="Whether hands are being shaken.").tag(sync=True)
    live = traitlets.Bool(True, help="Whether it can run, and is no record from before.").tag(sync=True)
    rotations = traitlets.Int(0, help="How often the browser has asked for a new certificate.").tag(sync=True)

    def __init__(self, lab: Lab | TlsWatch, host: str = "", **how: Any) -> None:
        self._lab = lab if isinstance(lab, Lab) else None
        self.record = lab if isinstance(lab, TlsWatch) else None
        self._how = how
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()
        if self.record is None and not host:
            raise LabError('Say whom to shake hands with: RotationTimeline(lab, "shop.example.test").')
        super().__init__(host=self.record.host if self.record else host, live=self.record is None)
        if self.record is not None:
            self._show()
        self.observe(self._start_or_stop, names="running")
        self.observe(lambda _: self._try(self.rotate), names="rotations")
        _close_older(self)

    def start(self) -> None:
        """Begin to shake hands; quiet when it already does. Raises `LabError` for a record from before."""
        if self._lab is None:
            raise LabError("This is a record from before; RotationTimeline(lab, host) makes new handshakes.")
        self.running = True

    def stop(self, timeout_seconds: float = 60) -> None:
        """Make no more new connections, and wait for the last ones; quiet when nothing runs."""
        self._stopping.set()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout_seconds)
        self.running = False

    def rotate(self) -> None:
        """Issue another certificate for the same names into the Secret that is served from. Raises `LabError`."""
        if self._lab is None or self.record is None or not self.record.last:
            raise LabError("There is no certificate to replace yet: start, and wait for the first handshakes.")
        owner = self.record.owner(self.record.last)
        if not owner.secret or "/" in owner.secret:
            raise LabError(f"What is served is {owner}: there is no Secret in {self._lab.namespace} to rotate.")
        began = self.record.now
        self._lab.certificate(*names_in(self.record.leaf(self.record.last)), secret=owner.secret)
        self.record.events.append(Event("rotated", began, self.record.now))

    def close(self) -> None:
        """Stop, and take the panel away."""
        self.stop()
        super().close()

    def __repr__(self) -> str:
        return f"RotationTimeline({self.host}{f': {self.record.sentence}' if self.record and not self.live else ''})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": self._html()}, metadata

    def _html(self) -> str:
        if self.record is not None and not self.live:
            return self.record._repr_html_()
        return (
            '<div style="border: 1px solid var(--jp-border-color1, #ccc); padding: 0.5em 0.8em; '
            'font-family: var(--jp-ui-font-family, sans-serif)"><b>Rotation</b> of the certificate for '
            f"<code>{escape(self.host)}</code>. Run this cell to see it live: new connections all the time, the "
            "certificate that each of them gets, and a button that replaces it.</div>"
        )

    def _start_or_stop(self, change: Any) -> None:
        """The browser's button and `start` set ``running``; the worker follows."""
        if not change["new"]:
            self._stopping.set()
            return
        self._stopping, self.problem = threading.Event(), ""
        self._worker = threading.Thread(target=self._work, args=(self._stopping,), name="kubelab-rotation", daemon=True)
        self._worker.start()

    def _work(self, stopping: threading.Event) -> None:
        try:
            assert self._lab is not None
            with self._lab.watch_tls(self.host, **self._how) as self.record:
                until = time.monotonic() + LONGEST_SECONDS
                while not stopping.is_set() and time.monotonic() < until:
                    self._show(SHOWN_SECONDS)
                    stopping.wait(DRAW_SECONDS)
            self._show()
        except (LabError, ClusterError) as error:
            self.problem = str(error)
        finally:
            self.running = False

    def _show(self, last_seconds: float = float("inf")) -> None:
        assert self.record is not None
        with self.hold_sync():
            self.picture, self.sentence = pictures.svg(self.record, last_seconds), self.record.sentence

    def _try(self, what: Any) -> None:
        """For the browser, where nobody sees an exception: what goes wrong is shown in the panel."""
        self.problem = ""
        try:
            what()
        except (LabError, ClusterError) as error:
            self.problem = str(error)


_open: weakref.WeakSet[RotationTimeline] = weakref.WeakSet()


def _close_older(panel: RotationTimeline) -> None:
    """A cell that is run again makes its panel anew; the one from before must not go on unseen."""
    for older in list(_open):
        if older.host == panel.host and older.live and panel.live:
            older.close()
            _open.discard(older)
    _open.add(panel)
