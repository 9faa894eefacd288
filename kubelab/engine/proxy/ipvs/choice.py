"""Whether this kernel has IPVS is found out by trying, as kube-proxy does."""

from __future__ import annotations

import os
from pathlib import Path

from kubelab.engine.proxy.backend import Setting
from kubelab.engine.proxy.ipvs.carrier import Carrier
from kubelab.engine.proxy.ipvs.kernel import KernelIpvs
from kubelab.engine.proxy.ipvs.standin.carrier import StandIn
from kubelab.engine.proxy.tool import NO_SUCH_TOOL

_PROBE = "198.51.100.0:20000"
"""An address of nobody (RFC 5737)."""
_PROBE_SET = "KUBELAB-PROBE"

_EVALUATED = b"(evaluated by kubelab)"
"""What iptables says of itself in a network without a kernel's rules."""


async def choose(setting: Setting) -> Carrier:
    """What can hold a plan here."""
    version = await setting.run(["iptables", "--version"], b"")
    if _EVALUATED in version.stdout:
        return StandIn(setting, "no rules are in the kernel here", in_kernel=False)
    if reason := await missing(setting):
        return StandIn(setting, reason)
    return KernelIpvs(setting)


async def missing(setting: Setting) -> str:
    """Why this kernel's IPVS cannot be used, in a few words; empty when it can."""
    scheduler = setting.config.ipvs_scheduler
    made = await setting.run(["ipvsadm", "-A", "-t", _PROBE, "-s", scheduler], b"")
    if made.code == NO_SUCH_TOOL:
        return "the program ipvsadm is not installed" if _may_have_ipvs() else "this kernel has no IPVS"
    if made.code != 0:
        return "this kernel has no IPVS"
    await setting.run(["ipvsadm", "-D", "-t", _PROBE], b"")
    made = await setting.run(["ipset", "-exist", "create", _PROBE_SET, "hash:ip,port"], b"")
    if made.code != 0:
        absent = made.code == NO_SUCH_TOOL
        return "the program ipset is not installed" if absent else "this kernel has IPVS, but no ipsets"
    await setting.run(["ipset", "destroy", _PROBE_SET], b"")
    return ""


def _may_have_ipvs() -> bool:
    """Whether the kernel has it, or has a module of it that could be loaded."""
    if Path("/proc/net/ip_vs").exists():
        return True
    modules = Path("/lib/modules", os.uname().release)
    for name in ("modules.builtin", "modules.dep"):
        try:
            if "/ip_vs.ko" in (modules / name).read_text(errors="replace"):
                return True
        except OSError:
            continue
    return False
