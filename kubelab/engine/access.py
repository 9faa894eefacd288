"""How the cluster's owner gets in: the port on 127.0.0.1, the token, and the kubeconfig that names both."""

from __future__ import annotations

import re
import secrets
import socket
from base64 import b64encode

import yaml

from kubelab.engine.options import Options
from kubelab.engine.state import StateError

ADMIN = "kubernetes-admin"


def bind(options: Options) -> socket.socket:
    """The listener of the API on this machine. Raises `StateError` when the port that was asked for is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", _port_to_ask_for(options)))
    except OSError:
        if options.api_port:
            listener.close()
            raise StateError(
                f"Port {options.api_port} on 127.0.0.1 is taken: choose another with --api-port, or leave it out."
            ) from None
        listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def _port_to_ask_for(options: Options) -> int:
    """The port asked for, else the one that the last engine had, so that old kubeconfigs go on working."""
    if options.api_port:
        return options.api_port
    try:
        known = yaml.safe_load(options.state.kubeconfig.read_text())
        port = int(known["clusters"][0]["cluster"]["server"].rpartition(":")[2])
        return port if 0 < port < 1 << 16 else 0
    except (OSError, ValueError, KeyError, IndexError, TypeError, yaml.YAMLError):
        return 0


def load_token(options: Options) -> str:
    """The owner's token, the same for all engines of a state directory. Raises `StateError`."""
    path = options.state.token
    try:
        known = path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        known = ""
    if re.fullmatch(r"[\w-]{32,}", known, re.ASCII):
        return known
    token = secrets.token_urlsafe(32)  # also for a damaged file, above all an empty one
    options.state.write(path, token)
    return token


def write_kubeconfig(options: Options, server: str, ca_pem: bytes, token: str) -> None:
    """Write it where `StateDir.kubeconfig` says. Raises `StateError`."""
    context = f"kubelab-{options.name}" if options.name != "kubelab" else "kubelab"
    cluster = {"server": server, "certificate-authority-data": b64encode(ca_pem).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    options.state.write(options.state.kubeconfig, yaml.safe_dump(document, sort_keys=False))
