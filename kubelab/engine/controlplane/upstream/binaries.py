"""Where Kubernetes' own programs are, and whether they are of a version that works here."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kubelab.engine.controlplane.contract import ControlPlaneError

NEEDED = ("etcd", "kube-apiserver")
OURS_CAN_STAND_IN = ("kube-controller-manager", "kube-scheduler")
EXPECTED = (1, 36)
OLDEST = (1, 35)
"""Our informers compare resource versions as numbers, which Kubernetes promises from 1.35 on (KEP-5504)."""
OLDEST_ETCD = (3, 5)
"""What kube-apiserver 1.36 is released with is 3.6; it asks 3.5 for the same."""
VERSION_SECONDS = 20.0

Version = tuple[int, ...]


@dataclass(frozen=True)
class Binary:
    """A program that was found, and the version that it says it has."""

    path: Path
    version: Version

    @property
    def minor(self) -> Version:
        """``(1, 36)``."""
        return self.version[:2]

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def folders(environment: Mapping[str, str]) -> list[Path]:
    """Where they are looked for: KUBEBUILDER_ASSETS, the conda environment, PATH; the first that has one wins."""
    chosen = [environment.get("KUBEBUILDER_ASSETS", "")]
    if prefix := environment.get("CONDA_PREFIX"):
        chosen.append(str(Path(prefix) / "bin"))
    return [Path(folder) for folder in (*chosen, *environment.get("PATH", os.defpath).split(os.pathsep)) if folder]


async def find(environment: Mapping[str, str]) -> dict[str, Binary]:
    """Every program that is there, by name. Raises `ControlPlaneError` where one is missing that has to be there."""
    path = os.pathsep.join(map(str, folders(environment)))
    found = {name: shutil.which(name, path=path) for name in (*NEEDED, *OURS_CAN_STAND_IN)}
    if missing := [name for name in NEEDED if not found[name]]:
        raise ControlPlaneError(
            f"The upstream control plane needs {' and '.join(missing)}, and KUBEBUILDER_ASSETS, the conda environment "
            "and PATH have no such program: `conda install -c conda-forge etcd kubernetes-server` brings all of it."
        )
    there = {name: Path(where) for name, where in found.items() if where}
    asked = await asyncio.gather(*map(_ask, there.values()), return_exceptions=True)
    binaries: dict[str, Binary] = {}
    for name, said in zip(there, asked, strict=True):
        if isinstance(said, BaseException):
            raise said
        binaries[name] = said
    check(binaries)
    return binaries


async def _ask(path: Path) -> Binary:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        raise ControlPlaneError(f"{path} cannot be run ({error.strerror}): install it again.") from error
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ControlPlaneError(f"`{path} --version` does not end: install it again.") from None
    return Binary(path, read_version(str(path), said.decode(errors="replace")))


def read_version(name: str, said: str) -> Version:
    """From ``Kubernetes v1.36.2`` or ``etcd Version: 3.6.4``. Raises `ControlPlaneError`."""
    match = re.search(r"\b(?:Kubernetes v|etcd Version: )(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        first = next(iter(said.splitlines()), "nothing")
        raise ControlPlaneError(f"`{name} --version` says {first!r}, which is no version: install it again.")
    return tuple(int(part) for part in match.groups())


def check(binaries: Mapping[str, Binary]) -> None:
    """Raises `ControlPlaneError` for a version that cannot work, alone or with the others."""
    api, etcd = binaries["kube-apiserver"], binaries["etcd"]
    if api.minor < OLDEST:
        raise ControlPlaneError(f"{api.path} is {api}: take {_text(OLDEST)} or newer.")
    if etcd.minor < OLDEST_ETCD:
        raise ControlPlaneError(f"{etcd.path} is {etcd}: kube-apiserver {_text(EXPECTED)} wants 3.5 or newer.")
    for name in OURS_CAN_STAND_IN:
        other = binaries.get(name)
        # https://kubernetes.io/releases/version-skew-policy/
        if other and not (api.minor[1] - 1 <= other.minor[1] <= api.minor[1] and other.minor[0] == api.minor[0]):
            raise ControlPlaneError(
                f"{name} {other} does not go with kube-apiserver {api}: its minor version may be the same or one below."
            )


def describe(binaries: Mapping[str, Binary]) -> str:
    """Which program of which version, what stands in for another, and what nobody has tried."""
    parts = [", ".join(f"{name} {binary}" for name, binary in binaries.items())]
    if missing := [name for name in OURS_CAN_STAND_IN if name not in binaries]:
        parts.append(f"the built-in one stands in for {' and '.join(missing)}")
    if (minor := binaries["kube-apiserver"].minor) != EXPECTED:
        parts.append(f"the course is written for {_text(EXPECTED)}, not {_text(minor)}")
    return "; ".join(parts)


def _text(version: Version) -> str:
    return ".".join(map(str, version))
