"""A page behind the ingress, in the learner's own browser: by way of Jupyter, which is the one thing it can reach.

`kubelab.jupyter` carries ``<jupyter>/kubelab-ingress/http/shop.example.test/cart`` on, with the right Host header.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from kubelab.lab.errors import LabError

ENTRY = "kubelab-ingress"
"""The name of the jupyter-server-proxy entry."""
PIXELS = 220


class Page(NamedTuple):
    """A URL of the course and where this Jupyter shows it."""

    url: str
    place: str
    """A path on Jupyter's own host."""

    def __repr__(self) -> str:
        return f"Page({self.url})"

    def _repr_html_(self) -> str:
        # A form, for JupyterLab takes a link to a path of its own host for one to a file.
        path, _, query = self.place.partition("?")
        fields = "".join(
            f"<input type='hidden' name='{escape(name)}' value='{escape(value)}'>"
            for name, value in parse_qsl(query, keep_blank_values=True)
        )
        return (
            f"<form action='{escape(path)}' method='get' target='_blank' style='margin: 0.3em 0'>{fields}"
            f"<code>{escape(self.url)}</code> <button type='submit'>open in a tab of its own</button></form>"
            f"<iframe src='{escape(self.place)}' title='{escape(self.url)}' sandbox='allow-scripts allow-forms' "
            f"style='width: 100%; height: {PIXELS}px; border: 1px solid var(--jp-border-color1, #bdbdbd); "
            "background: white'></iframe>"
        )


def page(url: str) -> Page:
    """Where ``http://shop.example.test/cart`` is to be seen. Raises `LabError` for what is not such a URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LabError(f"{url!r} is no page of a host; write it as http://shop.example.test/cart.")
    query = f"?{parts.query}" if parts.query else ""
    return Page(url, f"{jupyter_base(os.environ)}{ENTRY}/{parts.scheme}/{parts.netloc}{parts.path or '/'}{query}")


def jupyter_base(environment: Mapping[str, str]) -> str:
    """The path under which the Jupyter of this kernel stands: ``/``, or ``/user/ada/`` behind a hub."""
    if behind_hub := environment.get("JUPYTERHUB_SERVICE_PREFIX"):
        return behind_hub
    from jupyter_core.paths import jupyter_runtime_dir

    # A server writes down how it is reached; the kernel knows the server that started it.
    known = Path(jupyter_runtime_dir(), f"jpserver-{environment.get('JPY_PARENT_PID', '')}.json")
    try:
        return str(json.loads(known.read_text())["base_url"])
    except (OSError, ValueError, KeyError):
        return "/"
