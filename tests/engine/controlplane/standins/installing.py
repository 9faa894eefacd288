"""Stand-ins for Kubernetes' programs, as executables in a folder of their own."""

from __future__ import annotations

import sys
from pathlib import Path

STANDINS = Path(__file__).parent
KUBERNETES = "Kubernetes v1.36.2"
PROGRAMS = {
    "etcd": "etcd Version: 3.6.4",
    "kube-apiserver": KUBERNETES,
    "kube-controller-manager": KUBERNETES,
    "kube-scheduler": KUBERNETES,
}
"""Each with what it says when it is asked for its version."""


def install(folder: Path, names: tuple[str, ...] = tuple(PROGRAMS), caprice: str = "", slowness: float = 1) -> Path:
    """Executables of these names in a folder; with a seed, of a capricious kind (`caprices`)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = folder / name
        script = STANDINS / f"{name.replace('-', '_')}.py"
        version = f'[ "$1" = --version ] && exec echo "{PROGRAMS[name]}"'
        moods = f"export KUBELAB_STANDINS_CAPRICE={caprice} KUBELAB_STANDINS_SLOWNESS={slowness}\n" if caprice else ""
        program.write_text(f'#!/bin/sh\n{version}\n{moods}exec "{sys.executable}" "{script}" "$@"\n')
        program.chmod(0o755)
    return folder
