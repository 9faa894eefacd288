"""A node's connection table as it lives: entries come, change their state, run out and go."""

from __future__ import annotations

import threading
import time
import weakref
from html import escape
from typing import Any

import anywidget
import traitlets

from kubelab.clusters.base import ClusterError
from kubelab.lab.addressbook import AddressBook, address_book, named_service
from kubelab.lab.connections import PROTOCOLS, Connection, listed, named_node, who_tracks
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.widgets.assets import joined

READ_SECONDS = 1.0
"""The beat of reading while it runs."""
NAMES_SECONDS = 5.0
"""How long the names of addresses are taken as they were."""
LONGEST_SECONDS = 600.0
"""A view that is forgotten stops reading after ten minutes."""
MOST_ROWS = 200

STATES = {
    "SYN_SENT": "the client has knocked, and nobody has answered",
    "SYN_RECV": "the server has answered; the client's last word is missing",
    "ESTABLISHED": "open",
    "FIN_WAIT": "one side has said goodbye",
    "CLOSE_WAIT": "the other side may still send",
    "LAST_ACK": "both have said goodbye; the last word is missing",
    "TIME_WAIT": "closed, and remembered for a while so that late packets find their way",
    "CLOSE": "broken off (reset)",
    "": "the protocol has no states: silence ends it",
}
FLAGS = {
    "[UNREPLIED]": "nothing has come back yet",
    "[ASSURED]": "both sides have spoken: not thrown out early when the table is full",
}


class ConntrackView(anywidget.AnyWidget):
    """``ConntrackView(lab, node="worker2", service="web")``: the node's connections, read every second until stopped.

    `start`, `stop` and `close` do what the buttons do. ``node``, ``service``, ``protocol`` and ``text`` (any part of a
    row) narrow it and can be set. Raises `LabError` where there is no such table.
    """

    _esm = joined("dom.js", "conntrack_view.js")
    _css = joined("common.css", "conntrack_view.css")
    node = traitlets.Unicode(help="Whose table is shown.").tag(sync=True)
    service = traitlets.Unicode(help="Only connections that asked for this Service.").tag(sync=True)
    protocol = traitlets.Enum(("", *PROTOCOLS), default_value="", help="Only this protocol.").tag(sync=True)
    text = traitlets.Unicode(help="Only rows that hold this text: a pod, a state, a port.").tag(sync=True)
    running = traitlets.Bool(False, help="Whether it is read again and again.").tag(sync=True)
    visible = traitlets.Bool(True, help="Whether somebody can see it; else it is not read.").tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List(help="The connections.").tag(sync=True)
    asked = traitlets.Unicode(help="The node and filters that the rows answer.").tag(sync=True)
    total = traitlets.Int(0, help="How many connections the filters let through.").tag(sync=True)
    problem = traitlets.Unicode(help="Why it cannot be read.").tag(sync=True)
    about = traitlets.Dict(help="Nodes, Services, and what the words mean.").tag(sync=True)

    def __init__(self, lab: Lab, node: str | None = None, service: str = "", protocol: str = "") -> None:
        self._lab = lab
        self._reading = threading.Lock()
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()
        self._read: list[Connection] = []
        nodes = lab.cluster.nodes()
        place = named_node(lab, node) if node else nodes[min(1, len(nodes) - 1)]
        self._book: AddressBook = address_book(lab)
        self._named_at = time.monotonic()
        about = {
            "nodes": [each.name for each in nodes],
            "services": list(self._book.services),
            "note": who_tracks(lab),
            "states": STATES,
            "flags": FLAGS,
        }
        wanted = named_service(lab, self._book, service) if service else ""
        super().__init__(node=place.name, service=wanted, protocol=protocol.lower(), about=about)
        self.refresh()
        self.observe(self._narrow, names=["service", "protocol", "text"])
        self.observe(self._elsewhere, names="node")
        self.observe(self._start_or_stop, names="running")
        _close_older(self)

    def refresh(self) -> None:
        """Read the table once, now. Raises `LabError`, `ClusterError`."""
        with self._reading:
            if time.monotonic() - self._named_at > NAMES_SECONDS:
                self._book, self._named_at = address_book(self._lab), time.monotonic()
            self._read = listed(named_node(self._lab, self.node), self._book)
        self._narrow()

    def start(self) -> None:
        """Begin to read every second; quiet when it already does."""
        self.running = True

    def stop(self, timeout_seconds: float = 30) -> None:
        """Read no more; quiet when nothing runs."""
        self._stopping.set()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout_seconds)
        self.running = False

    def close(self) -> None:
        """Stop, and take the view away."""
        self.stop()
        super().close()

    def __repr__(self) -> str:
        of = [f"Service {self.service}"] if self.service else []
        return f"ConntrackView({', '.join([self.node, *of, *([self.protocol] if self.protocol else [])])})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": _static_html(self)}, metadata

    def _start_or_stop(self, change: Any) -> None:
        """The browser's button and `start` set ``running``; the reader follows."""
        if not change["new"]:
            self._stopping.set()
            return
        self._stopping = threading.Event()
        self._worker = threading.Thread(
            target=self._work, args=(self._stopping,), name="kubelab-conntrack", daemon=True
        )
        self._worker.start()

    def _work(self, stopping: threading.Event) -> None:
        until = time.monotonic() + LONGEST_SECONDS
        while not stopping.is_set() and time.monotonic() < until:
            if self.visible:
                self._try()
            stopping.wait(READ_SECONDS)
        if not stopping.is_set():
            self.running = False

    def _elsewhere(self, _: Any) -> None:
        self._read = []
        self._try()

    def _try(self) -> None:
        """Read where nobody sees an exception: what goes wrong is shown in the view."""
        try:
            self.refresh()
            self.problem = ""
        except (LabError, ClusterError) as error:
            self.problem = str(error)

    def _narrow(self, _: Any = None) -> None:
        kept = [
            each
            for each in self._read
            if (not self.service or each.service == self.service)
            and (not self.protocol or each.protocol == self.protocol)
        ]
        rows = [row for row in map(_row, sorted(kept, key=_order)) if self.text.lower() in row["all"].lower()]
        with self.hold_sync():
            self.asked = "|".join((self.node, self.service, self.protocol, self.text))
            self.total, self.rows = len(rows), rows[:MOST_ROWS]


def _order(each: Connection) -> tuple[Any, ...]:
    """Open ones first."""
    return not each.open, each.protocol, each.asked, each.server, each.source, each.flow.source_port


def _row(each: Connection) -> dict[str, Any]:
    flow = each.flow
    first = f"src={flow.source} dst={flow.destination} sport={flow.source_port} dport={flow.destination_port}"
    ports = f"sport={flow.reply_source_port} dport={flow.reply_destination_port}"
    back = f"src={flow.reply_source} dst={flow.reply_destination} {ports}"
    shown = {
        "key": f"{each.protocol} {first} {back}",
        "protocol": each.protocol,
        "state": each.state,
        "open": each.open,
        "seconds": each.seconds,
        "source": each.source,
        "port": flow.source_port,
        "asked": each.asked,
        "server": each.server if each.translated else "",
        "seen_as": each.seen_as if each.masqueraded else "",
        "flags": each.flags,
        "first": first,
        "back": back,
    }
    return {**shown, "all": " ".join(str(value) for value in shown.values())}


_open: weakref.WeakSet[ConntrackView] = weakref.WeakSet()


def _close_older(view: ConntrackView) -> None:
    """A cell that is run again makes its view anew; the one from before must not go on reading unseen."""
    for older in list(_open):
        if repr(older) == repr(view):
            older.close()
            _open.discard(older)
    _open.add(view)


def _static_html(view: ConntrackView) -> str:
    words = "".join(f"<li><code>{flag}</code>: {escape(said)}</li>" for flag, said in FLAGS.items())
    of = f" of Service <code>{escape(view.service)}</code>" if view.service else ""
    note = f"<p>{escape(view.about['note'])}</p>" if view.about["note"] else ""
    return (
        '<div style="border: 1px solid var(--jp-border-color1, #ccc); padding: 0.5em 0.8em; '
        'font-family: var(--jp-ui-font-family, sans-serif)"><b>Connection table</b>'
        f"{of} on {escape(view.node)}. Run this cell to see it live: who is connected to whom, in which state, for how "
        f"many seconds it is still remembered.<ul>{words}</ul>{note}</div>"
    )
