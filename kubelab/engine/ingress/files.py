"""Envoy's files, replaced in one step each and in an order in which no request is without its route or its cluster:
first the clusters that come, then the routes that use them, and what nothing uses any more at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kubelab.engine.ingress import admin, envoy

log = logging.getLogger("kubelab.engine.ingress")

Object = dict[str, Any]

ACCEPT_SECONDS = 5.0
FIRST_LOOK_SECONDS = 0.002
LONGEST_LOOK_SECONDS = 0.1

_LISTENER, _CLUSTER = "envoy.config.listener.v3.Listener", "envoy.config.cluster.v3.Cluster"
_ROUTES = "envoy.config.route.v3.RouteConfiguration"
_LDS, _CDS = "listener_manager.lds", "cluster_manager.cds"


class Configuration(NamedTuple):
    """All that an Envoy serves."""

    listeners: Sequence[Object]
    routes: Mapping[str, Object]
    """File name → route configuration."""
    clusters: Sequence[Object]


def create(folder: Path) -> None:
    """Files that say: nothing yet. What is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in ((envoy.LISTENERS, _LISTENER), (envoy.CLUSTERS, _CLUSTER)):
        if not (folder / name).exists():
            replace(folder / name, document(kind, []))


def document(kind: str, resources: Sequence[Object]) -> str:
    """A DiscoveryResponse, with a version that its content makes."""
    listed = [{"@type": f"type.googleapis.com/{kind}", **each} for each in resources]
    version = hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()[:12]
    return json.dumps({"version_info": version, "resources": listed}, separators=(",", ":"))


def version_of(text: str) -> str:
    """The version that `document` gave it."""
    return text[len('{"version_info":"') :][:12]


def replace(path: Path, text: str) -> None:
    """Write it beside, then rename: a reader sees the old or the new one, never a half."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.rename(path)


class Files:
    """The files of one folder, and what the Envoys made of them."""

    def __init__(self, folder: Path, admin_ports: Sequence[int] = envoy.ADMIN_PORTS) -> None:
        self._folder = folder
        self._ports = admin_ports
        self._texts: dict[str, str] = {}
        self._clusters: dict[str, Object] = {}

    async def serve(self, wanted: Configuration) -> bool:
        """Have this configuration served by every Envoy that runs; whether all of it was accepted."""
        new = {each["name"]: each for each in wanted.clusters}
        both = {**self._clusters, **new}
        accepted = await self._put({envoy.CLUSTERS: (_CDS, _sorted(both))})
        known = {name for name in wanted.routes if name in self._texts}
        routes = {name: (_rds(each), document(_ROUTES, [each])) for name, each in wanted.routes.items()}
        accepted &= await self._put(routes, wait_for=known)
        accepted &= await self._put({envoy.LISTENERS: (_LDS, document(_LISTENER, wanted.listeners))})
        if both.keys() != new.keys():
            accepted &= await self._put({envoy.CLUSTERS: (_CDS, _sorted(new))})
        self._clusters = new
        for name in self._texts.keys() - {envoy.CLUSTERS, envoy.LISTENERS} - wanted.routes.keys():
            (self._folder / name).unlink(missing_ok=True)
            del self._texts[name]
        return accepted

    async def _put(self, files: Mapping[str, tuple[str, str]], wait_for: set[str] | None = None) -> bool:
        """Write those that are other than before, and wait until the Envoys have taken them in."""
        expected: dict[str, str] = {}
        for name, (stat, text) in files.items():
            if self._texts.get(name) == text:
                continue
            replace(self._folder / name, text)
            self._texts[name] = text
            if wait_for is None or name in wait_for:
                expected[stat] = version_of(text)
        if not expected:
            return True
        said = await asyncio.gather(*(asyncio.to_thread(_accepted, port, expected) for port in self._ports))
        return all(said)


def _sorted(clusters: Mapping[str, Object]) -> str:
    return document(_CLUSTER, [clusters[name] for name in sorted(clusters)])


def _rds(configuration: Object) -> str:
    return f"http.ingress.rds.{configuration['name'].replace(':', '_')}"


def _accepted(port: int, expected: Mapping[str, str]) -> bool:
    """Whether an Envoy has taken in these versions; one that is not there reads the files when it comes."""
    deadline, pause = time.monotonic() + ACCEPT_SECONDS, FIRST_LOOK_SECONDS
    pattern = "(" + "|".join(re.sub(r"[^\w-]", ".", each) for each in expected) + r")\.version_text$"
    while time.monotonic() < deadline:
        try:
            said = admin.stats(port, pattern)
        except admin.NoEnvoy:
            return True
        if all(said.get(f"{stat}.version_text") == version for stat, version in expected.items()):
            return True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_LOOK_SECONDS)
    log.error("an Envoy does not take in %s; it goes on with what it had", ", ".join(expected))
    return False
