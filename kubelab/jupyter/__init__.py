"""What JupyterLab gets from kubelab: pages behind an Ingress, opened in the learner's own browser.

A browser on the street asks a name server for ``shop.example.test``. The learner's cannot: the name exists in the
course only, and on Binder or behind a hub no port of the machine can be reached either. What can be reached is Jupyter
itself, so `jupyter-server-proxy` carries ``<jupyter>/kubelab-ingress/http/shop.example.test/cart`` to a small server
(`kubelab.jupyter.by_host`) that asks the ingress for ``/cart`` with the Host header ``shop.example.test``.
"""

from __future__ import annotations

import sys
from typing import Any


def entry() -> dict[str, Any]:
    """The entry of jupyter-server-proxy (entry point group ``jupyter_serverproxy_servers``).

    Its name, `kubelab.lab.pages.ENTRY`, is its place under Jupyter's URL. The server starts at the first request, on a
    Unix socket that only its user can reach.
    """
    return {
        "command": [sys.executable, "-m", "kubelab.jupyter.by_host", "{unix_socket}", "{base_url}"],
        "unix_socket": True,
        "timeout": 20,
        "launcher_entry": {"title": "Pages of the Ingress"},
    }
