"""Whether this machine can do what a namespace tier needs: try it, in a forked child and namespaces thrown away.

Nothing is read from /proc/sys: settings, security modules and containers refuse in too many ways to know them all.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent import rootfs
from kubelab.engine.network.agent.backend import TOOL_PATH, TierUnusable
from kubelab.engine.network.agent.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    setns,
    unshare,
)
from kubelab.engine.network.agent.topology import Topology
from kubelab.engine.network.contract import Mount

_RULES = """\
*nat
:KUBELAB-TRIAL - [0:0]
-A PREROUTING -m comment --comment "trial" -j KUBELAB-TRIAL
-A KUBELAB-TRIAL -m addrtype --dst-type LOCAL -j MARK --or-mark 0x4000
-A KUBELAB-TRIAL -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.244.0.2:80
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
COMMIT
*filter
-A INPUT -p tcp -m conntrack --ctstate NEW -m tcp --dport 1 -j REJECT
COMMIT
"""
_NODE = NodeSpec("trial", "172.18.0.2", "10.244.0.0/24")


def try_namespaces(lock_file: str) -> None:
    """Raises `TierUnusable`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with suppress(BaseException), open(writer, "w") as report:
            json.dump(_attempt(lock_file), report)
        os._exit(0)
    os.close(writer)
    with open(reader) as report:
        answer = report.read()
    os.waitpid(child, 0)
    reason, remedy = json.loads(answer) if answer else ("the trial ended early", "look at the network agent's log")
    if reason:
        raise TierUnusable(reason, remedy)


def _attempt(lock_file: str) -> tuple[str, str]:
    """The reason and the remedy, or two empty strings."""
    try:
        unshare(CLONE_NEWNET)
        topology = Topology.build()
        topology.add_node(_NODE)
        topology.add_pod("trial", _NODE.name, "10.244.0.2")
    except OSError as error:
        remedy = "run on a kernel with veth and bridge devices (modprobe veth bridge), or as root"
        return f"network namespaces do not work here ({error.strerror})", remedy
    problem = _load_rules(topology.nodes[_NODE.name].namespace.fd, lock_file)
    if problem[0]:
        return problem
    try:
        unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
        rootfs.enter_private_root({"/etc/resolv.conf": "", "/trial/file": ""}, [Mount("/usr", "/trial/deep/mount")])
    except OSError as error:
        remedy = "allow mounts: in a container, run it without the AppArmor profile that refuses them"
        return f"pods cannot have a root directory of their own ({error.strerror})", remedy
    return "", ""


def _load_rules(node: int, lock_file: str) -> tuple[str, str]:
    import shutil  # here, in a child that ends soon, so that they do not stay in the agent's memory
    import subprocess

    install = "install iptables (apt-get install iptables)"
    tool = shutil.which("iptables-restore", path=TOOL_PATH)
    if tool is None:
        return "iptables-restore is not installed", install
    setns(node, CLONE_NEWNET)
    finished = subprocess.run(
        [tool, "--noflush"],
        input=_RULES.encode(),
        capture_output=True,
        env={"PATH": TOOL_PATH, "LANG": "C.UTF-8", "XTABLES_LOCKFILE": lock_file},
        timeout=30,
    )
    if finished.returncode:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        return (
            f"the kernel does not take kube-proxy's rules ({said[0] if said else finished.returncode})",
            "load the netfilter modules as root: modprobe -a iptable_nat xt_statistic xt_addrtype xt_comment "
            "xt_conntrack xt_mark xt_MASQUERADE ipt_REJECT nft_compat",
        )
    return "", ""
