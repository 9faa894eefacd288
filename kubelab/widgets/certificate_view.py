"""SNI × certificate: what a client is served for each name that it may say, verified or why not, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from kubelab.clusters.base import ClusterError
from kubelab.lab import kinds
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.served import Handshake
from kubelab.widgets import certificate_pictures as pictures
from kubelab.widgets.assets import joined

if TYPE_CHECKING:
    from kubelab.lab.pods import Pod

MOST_NAMES = 24


class CertificateView(anywidget.AnyWidget):
    """``CertificateView(lab, "shop.example.test", None)``: a real handshake for each name; None: no SNI at all.

    Without names it takes the hosts of the lab's Ingresses, one that nobody serves, and no SNI. ``handshakes`` has what
    came; `read` shakes hands again, `add` with one more name. ``port``, ``source``, ``address``, ``via``: as for
    `Lab.tls`. Raises `LabError`.
    """

    _esm = joined("dom.js", "certificate_view.js")
    _css = joined("common.css", "certificate_view.css")
    matrix = traitlets.Unicode(help="The table, as HTML.").tag(sync=True)
    timeline = traitlets.Unicode(help="The time line, as SVG.").tag(sync=True)
    sentence = traitlets.Unicode(help="What there is to see.").tag(sync=True)
    problem = traitlets.Unicode(help="Why the last handshakes failed.").tag(sync=True)
    reading = traitlets.Bool(False, help="Whether hands are being shaken.").tag(sync=True)
    asked = traitlets.Int(0, help="How often the browser has asked for new handshakes.").tag(sync=True)
    added = traitlets.Unicode(help="A name that the browser wants to try too.").tag(sync=True)

    def __init__(
        self,
        lab: Lab,
        *names: str | None,
        port: int = 443,
        source: str | Pod | None = "outside",
        address: str = "",
        via: str = "",
    ) -> None:
        self._lab = lab
        self._names = list(dict.fromkeys(names or _usual_names(lab)))
        if not any(self._names):
            raise LabError("Say at least one host: CertificateView(lab, 'shop.example.test', None).")
        self._how: dict[str, Any] = {"port": port, "source": source, "address": address, "via": via}
        super().__init__()
        self.read()
        self.observe(self._for_the_browser, names=["asked", "added"])

    def read(self) -> tuple[Handshake, ...]:
        """Shake hands again, once for each name. Raises `LabError`, `ClusterError`."""
        host = next(name for name in self._names if name)
        self.handshakes = tuple(
            self._lab.tls(name, **self._how) if name else self._lab.tls(host, sni=None, **self._how)
            for name in self._names
        )
        good = sum(each.verified for each in self.handshakes)
        with self.hold_sync():
            self.matrix, self.timeline = pictures.matrix(self.handshakes), pictures.svg(self.handshakes)
            self.sentence = f"{good} of {len(self.handshakes)} handshakes verified"
            self.problem = ""
        return self.handshakes

    def add(self, name: str) -> tuple[Handshake, ...]:
        """Try one more name. Raises `LabError`."""
        if name and name not in self._names:
            self._names.insert(len(self._names) - (None in self._names), name)
            self._names = self._names[-MOST_NAMES:]
        return self.read()

    def text(self) -> str:
        """The matrix and the validity in characters."""
        return pictures.text(self.handshakes)

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        forms = {
            "text/plain": self.text(),
            "text/html": pictures.html(self.handshakes),
            "image/svg+xml": pictures.svg(self.handshakes),
        }
        return {**bundle, **forms}, metadata

    def _for_the_browser(self, change: Any) -> None:
        """The same, where nobody sees an exception: what goes wrong is shown in the widget."""
        self.reading = True
        try:
            self.add(str(change["new"]).strip() if change["name"] == "added" else "")
        except (LabError, ClusterError) as error:
            self.problem = str(error)
        finally:
            self.reading = False


def _usual_names(lab: Lab) -> Iterable[str | None]:
    """The hosts of the lab's Ingresses (some name for a wildcard), a name beside the first of them, and none."""
    hosts = [
        rule["host"].replace("*", "any")
        for ingress in lab.objects.find(kinds.named("ingress"))
        for rule in (ingress.get("spec") or {}).get("rules") or ()
        if rule.get("host")
    ]
    if not hosts:
        raise LabError(
            f"No Ingress in {lab.namespace} has a host; say names: CertificateView(lab, 'shop.example.test')."
        )
    return [*hosts, f"nobody.{hosts[0].partition('.')[2]}", None]
