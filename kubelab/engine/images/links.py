"""A folder for PATH: ``python`` for the machine's interpreter, and stand-ins for tools that the machine lacks.

The interpreter is `sys._base_executable`: the one under the virtual environment, so that a pod sees a plain Python.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from kubelab.engine.images.catalogue import SYSTEM_PATH

STAND_INS = ("curl", "dig")
"""Tools with a small replacement in `kubelab.engine.images.tools`."""

SHELL_FOR = ("zsh",)
"""Shells that ``sh`` answers for where they are missing."""


def install_links(folder: Path) -> Path:
    """Make the folder, or bring it up to date; answers it. Safe to call again and from several places at once."""
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = base_python()
    for name in ("python", "python3"):
        _link(folder / name, interpreter)
    for name in SHELL_FOR:
        shell = shutil.which("sh", path=SYSTEM_PATH)
        if shell and not shutil.which(name, path=SYSTEM_PATH):
            _link(folder / name, shell)
    for name in STAND_INS:
        script = folder / name
        if shutil.which(name, path=SYSTEM_PATH):
            script.unlink(missing_ok=True)
        else:
            _script(script, interpreter, f"kubelab.engine.images.tools.{name}")
    _script(folder / "agnhost", interpreter, "kubelab.engine.images.agnhost")
    _script(folder / "nginx", interpreter, "kubelab.engine.images.servers.files", "nginx")
    _tar(folder / "tar")
    return folder


def base_python() -> str:
    """The interpreter outside of any virtual environment."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _link(path: Path, target: str) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)


def _script(path: Path, interpreter: str, module: str, function: str = "main") -> None:
    root = str(Path(__file__).resolve().parents[3])
    code = f"import sys; sys.path.insert(0, {root!r}); from {module} import {function}; sys.exit({function}(sys.argv))"
    _write(path, f'exec {shlex.quote(interpreter)} -I -S -c {shlex.quote(code)} "$@"')


def _tar(path: Path) -> None:
    """``tar`` that leaves what it unpacks to whoever unpacks it.

    ``kubectl cp`` unpacks as root, and tar then wants to give the files to their owner on the learner's machine: a user
    whom a pod does not know when it runs without privileges.
    """
    tar = shutil.which("tar", path=SYSTEM_PATH)
    if tar:
        _write(path, f'TAR_OPTIONS="--no-same-owner ${{TAR_OPTIONS:-}}" exec {shlex.quote(tar)} "$@"')


def _write(path: Path, command: str) -> None:
    text = f"#!/bin/sh\n{command}\n"
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(path)
