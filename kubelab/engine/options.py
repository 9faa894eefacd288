"""What an engine is told when it is started, and how it tells its starter that the cluster is ready.

``python -m kubelab.engine --name demo --state DIR …``: whoever starts it builds the command line with
`Options.argv`, the engine reads it with `Options.parse`. Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kubelab.engine.state import StateDir

Tier = Literal["root", "user", "interposed"]

ProxyMode = Literal["iptables", "nftables", "ipvs"]
"""What kube-proxy programs a node with."""

ControlPlaneKind = Literal["built-in", "upstream"]
"""Our own API server, controllers and scheduler, or Kubernetes' own programs."""

IDLE_SECONDS = 12 * 3600.0
"""An engine that nobody asked for anything for so long ends itself."""


@dataclass(frozen=True)
class Options:
    """One engine's options."""

    name: str
    root: Path
    """Its state directory."""
    tier: Tier | None = None
    """None: the first that works."""
    api_port: int = 0
    """Where the API server listens on 127.0.0.1; 0: where it listened last if that is free, else any free port."""
    idle_seconds: float = IDLE_SECONDS
    control_plane: ControlPlaneKind | None = None
    """None: the one that the cluster has, at first the built-in one."""
    ready_fd: int | None = None
    """A pipe's writing end; one JSON line says how the start went, see `report`."""

    @property
    def state(self) -> StateDir:
        """The state directory."""
        return StateDir(self.root)

    def argv(self) -> list[str]:
        """The arguments after ``python -m kubelab.engine``."""
        given = {
            "--name": self.name,
            "--state": self.root,
            "--tier": self.tier,
            "--api-port": self.api_port,
            "--idle-seconds": self.idle_seconds,
            "--control-plane": self.control_plane,
            "--ready-fd": self.ready_fd,
        }
        return [part for option, value in given.items() if value is not None for part in (option, str(value))]

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Options:
        """The options from ``argv``; ends the program with a usage message when they make no sense."""
        import argparse  # a client that re-attaches needs no parser

        parser = argparse.ArgumentParser("python -m kubelab.engine", description="Run one embedded cluster.")
        parser.add_argument("--name", required=True)
        parser.add_argument("--state", required=True, type=Path, dest="root", help="the cluster's state directory")
        parser.add_argument("--tier", choices=get_args(Tier), help="default: the first that works")
        parser.add_argument("--api-port", type=int, default=0, help="default: the last one, or any")
        parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="end when nobody asks for so long")
        kinds = get_args(ControlPlaneKind)
        parser.add_argument("--control-plane", choices=kinds, help="default: as it was, at first built-in")
        parser.add_argument("--ready-fd", type=int, help="where to say that the cluster is ready")
        return cls(**vars(parser.parse_args(argv)))

    def report(self, error: str | None = None) -> None:
        """Tell the starter, once, that nodes are Ready and DNS answers, or in one sentence what went wrong."""
        if self.ready_fd is None:
            return
        said = json.dumps({"error": error} if error else {"ready": True, "pid": os.getpid()})
        with suppress(BrokenPipeError):  # the starter was interrupted; whoever comes next asks on the control socket
            os.write(self.ready_fd, said.encode())
        os.close(self.ready_fd)
