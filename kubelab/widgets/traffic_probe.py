"""Requests as they happen: a panel that starts and stops a client in the cluster and shows who answers.

The panel needs a browser and a running kernel; what it is, it also says as one line of text and a piece of HTML that do
not change from run to run.
"""

from __future__ import annotations

import threading
import weakref
from html import escape
from typing import Any

import ipywidgets as widgets

from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Traffic
from kubelab.widgets.shares import Tally, shares_html

UPDATE_SECONDS = 0.2
"""How often the picture is brought up to date: five times a second, however many requests there are."""


class TrafficProbe(widgets.VBox):
    """``TrafficProbe(lab, "web", rate=10)``: sends real requests to a target until stopped, and shows who answers.

    `start`, `stop` and `close` do what the buttons do. `traffic` is what came of the last run.
    """

    def __init__(self, lab: Lab, target: str = "", rate: int = 10) -> None:
        self._lab = lab
        self._tally = Tally()
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()
        self.traffic: Traffic | None = None
        wide = widgets.Layout(width="18em")
        labelled = {"description_width": "initial"}
        self.target = widgets.Text(
            target, description="Target", placeholder="a Service's name, or a pod's", layout=wide
        )
        self.rate = widgets.BoundedIntText(
            rate, min=1, max=100, description="Requests a second", style=labelled, layout=widgets.Layout(width="14em")
        )
        # No icons: a browser would read their glyphs out as part of the buttons' names.
        self.start_button = widgets.Button(description="Start", tooltip="Start sending requests")
        self.stop_button = widgets.Button(description="Stop", tooltip="Stop sending requests", disabled=True)
        self.status = widgets.HTML(_status("Stopped."))
        self.shares = widgets.HTML(shares_html(self._tally))
        self.start_button.on_click(lambda _: self.start())
        self.stop_button.on_click(lambda _: self.stop())
        controls = widgets.HBox(
            [self.target, self.rate, self.start_button, self.stop_button], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([controls, self.status, self.shares])
        _close_older(self)

    @property
    def running(self) -> bool:
        """Whether requests are being sent."""
        return self._worker is not None and self._worker.is_alive()

    def start(self) -> None:
        """Begin to send requests; quiet when it already does."""
        if self.running:
            return
        self._tally = Tally()
        self._stopping = threading.Event()
        self._show(running=True, status="Starting the client pod …")
        self._worker = threading.Thread(target=self._work, args=(self._stopping,), name="kubelab-panel", daemon=True)
        self._worker.start()

    def stop(self, timeout_seconds: float = 30) -> None:
        """End the client and show the last numbers; quiet when nothing runs."""
        self._stopping.set()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout_seconds)

    def close(self) -> None:
        """Stop, and take the panel away."""
        self.stop()
        super().close()

    def __repr__(self) -> str:
        target = self.target.value or "no target yet"
        return f"TrafficProbe({target}, {self.rate.value} requests a second)"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = _static_html(self.target.value, self.rate.value)
        return bundle

    def _work(self, stopping: threading.Event) -> None:
        """Run the client until asked to stop, and keep the picture up to date."""
        tally, target = self._tally, self.target.value
        try:
            streaming = self._lab.stream(target, rate=self.rate.value, heard=tally.hear)
            while not stopping.wait(UPDATE_SECONDS) and streaming.failure is None:
                self._show(running=True, status=f"Sending to {target}: {tally.sentence}.")
            self.traffic = streaming.stop()
            said = f"Stopped. {tally.sentence}."
        except LabError as error:
            said = f"Stopped: {error}"
        except Exception as error:  # shown in the panel: a thread has nobody else to tell
            said = f"Stopped by an error in kubelab: {type(error).__name__}: {error}"
        self._show(running=False, status=said)

    def _show(self, *, running: bool, status: str) -> None:
        self.start_button.disabled = running
        self.stop_button.disabled = not running
        self.target.disabled = self.rate.disabled = running
        self.status.value = _status(status)
        self.shares.value = shares_html(self._tally)


_open: weakref.WeakSet[TrafficProbe] = weakref.WeakSet()


def _close_older(panel: TrafficProbe) -> None:
    """A cell that is run again makes its panel anew; the one from before must not go on sending unseen."""
    for older in list(_open):
        if older._lab.namespace == panel._lab.namespace and older.target.value == panel.target.value:
            older.close()
            _open.discard(older)
    _open.add(panel)


def _status(text: str) -> str:
    return f'<div role="status" style="margin: 0.2em 0">{escape(text)}</div>'


def _static_html(target: str, rate: int) -> str:
    return (
        '<div style="border: 1px solid var(--jp-border-color1, #ccc); padding: 0.5em 0.8em; '
        'font-family: var(--jp-ui-font-family, sans-serif)"><b>Traffic probe</b>: '
        f"{rate} requests a second to <code>{escape(target or 'a target of your choice')}</code>. "
        "Run this cell to get the live panel: who answers, how often, and what fails.</div>"
    )
