"""What the machine under the nodes is like: the numbers in a Node's capacity and nodeInfo."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
MOST_PODS = 110


@dataclass(frozen=True)
class Machine:
    """Facts, read once."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    architecture: str
    kernel: str
    system: str
    machine_id: str
    boot_id: str


@cache
def this_machine() -> Machine:
    """Read /proc and os-release; what cannot be read is empty or the least that can be."""
    disk = os.statvfs("/")
    uname = platform.uname()
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", uname.system)
    except OSError:
        system = uname.system
    return Machine(
        cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        kernel=uname.release,
        system=system,
        machine_id=_line("/etc/machine-id"),
        boot_id=_line("/proc/sys/kernel/random/boot_id"),
    )


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
