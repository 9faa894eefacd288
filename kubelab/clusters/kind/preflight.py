"""What a machine needs for kind, looked at before anything is made; each finding is a sentence and its remedy.

The list is that of kind's known issues (https://kind.sigs.k8s.io/docs/user/known-issues/), with its pages on rootless
engines and on WSL2.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.commands import run
from kubelab.clusters.kind.configuration import NODE_IMAGE, free_ports
from kubelab.clusters.kind.containers import ANSWER_SECONDS, CONTROLLERS, Engine, Facts, find_engine
from kubelab.clusters.kind.program import find_kind
from kubelab.engine.doctor import Finding

AREA = "kind"
GIB = 1 << 30
DISK_NEEDED, DISK_WANTED = 5 * GIB, 12 * GIB
"""The node image, three nodes' writable layers and the lessons' images in each of them."""
MEMORY_NEEDED, MEMORY_WANTED = 2 * GIB, 4 * GIB
WATCHES, INSTANCES = 524_288, 512
"""What kind recommends; Ubuntu's defaults are 8192 and 128."""
PODMAN_PIDS = 65_536
DOCKER_RANGE = ipaddress.ip_network("172.16.0.0/12")
TUNNELS = ("tun", "tap", "wg", "ppp")
VIA_GATEWAY = 0x2
"""RTF_GATEWAY of the kernel's flags of a route."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Machine:
    """Where to look."""

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def read(self, path: str) -> str:
        """A file's text; empty when it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace").strip()
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """The number in a file."""
        text = self.read(path)
        return int(text) if text.isdigit() else None


def report() -> list[Finding]:
    """All that ``kubelab doctor --on kind`` says. Never raises for what it finds."""
    try:
        engine = find_engine()
    except ClusterError as error:
        return [_finding("engine", "bad", str(error))]
    findings = [_finding("engine", "good", f"{engine.title} {'.'.join(map(str, engine.facts.version))}")]
    try:
        kind = find_kind(engine, Path(os.devnull))
        findings.append(_finding("kind", "good", kind.program))
    except ClusterError as error:
        findings.append(_finding("kind", "bad", str(error)))
    return [*findings, *examine(engine)]


def examine(engine: Engine, machine: Machine | None = None) -> list[Finding]:
    """Look at what is around an engine that works. Raises `ClusterError` when it does not."""
    facts, machine = engine.facts, machine or Machine()
    here = sys.platform == "linux" and not _is_remote(machine)
    local = here and not facts.in_a_machine_of_its_own
    found = [*_everywhere(engine, facts, machine), *_proxies(machine), *_kubectl()]
    if local or (here and _is_wsl2(machine)):  # whatever runs on WSL2, Docker Desktop too, has the same kernel
        found += _kernel(machine)
    if local:
        found += [*_disk(engine), *_docker_settings(engine, machine), *_routes(engine, machine)]
    if facts.rootless:
        found += _rootless(engine, machine)
    return found


def refusal(findings: Iterable[Finding]) -> str:
    """Why it would be no use to begin; empty when nothing forbids it."""
    bad = [f"{finding.detail}: {finding.mend}" for finding in findings if finding.verdict == "bad"]
    return " ".join(bad)


def warnings(findings: Iterable[Finding]) -> list[str]:
    """What may go wrong later, and what mends it."""
    return [f"{finding.detail}: {finding.mend}" for finding in findings if finding.verdict == "limited"]


def _everywhere(engine: Engine, facts: Facts, machine: Machine) -> Iterator[Finding]:
    if facts.cgroup < 2:
        yield _finding(
            "cgroup", "bad", "The engine runs on cgroup v1, where the kubelet of Kubernetes 1.36 does not start",
            "boot with systemd.unified_cgroup_hierarchy=1, or use a newer system (on WSL2: `wsl --update`, and "
            "kernelCommandLine = cgroup_no_v1=all in .wslconfig).",
        )  # fmt: skip
    else:
        yield _finding("cgroup", "good", "version 2")
    if facts.memory:
        verdict = "bad" if facts.memory < MEMORY_NEEDED else "limited" if facts.memory < MEMORY_WANTED else "good"
        yield _finding(
            "memory", verdict, f"{engine.title} has {facts.memory / GIB:.1f} GiB of memory for three nodes",
            "" if verdict == "good" else "4 GiB are comfortable: give its virtual machine more, or use the embedded "
            "cluster (`kubelab up`), which needs a tenth.",
        )  # fmt: skip
    if _is_remote(machine):
        yield _finding(
            "place", "limited", "The engine runs on another machine (DOCKER_HOST), where 127.0.0.1 is not yours",
            "use an engine on this machine, or run kubelab over there.",
        )  # fmt: skip
    try:
        free_ports()
        yield _finding("ports", "good", "kind and the ingress take free ports of 127.0.0.1, above 1023")
    except OSError as error:
        yield _finding("ports", "bad", f"127.0.0.1 refuses to listen ({error.strerror})", "bring the loopback up.")
    if facts.in_a_machine_of_its_own and not _is_remote(machine):
        yield _finding("place", "good", f"{facts.system}: nodes are reached through containers and mapped ports only")


def _kernel(machine: Machine) -> Iterator[Finding]:
    few = []
    for name, wanted in (("max_user_watches", WATCHES), ("max_user_instances", INSTANCES)):
        found = machine.number(f"proc/sys/fs/inotify/{name}")
        if found is not None and found < wanted:
            few.append((name, found, wanted))
    if few:
        said = " and ".join(f"{name} is {found}" for name, found, _ in few)
        cure = " ".join(f"fs.inotify.{name}={wanted}" for name, _, wanted in few)
        yield _finding(
            "inotify", "limited", f"inotify's {said}, so pods may end with 'too many open files'",
            f"`sudo sysctl {cure}`, and the same in /etc/sysctl.d/ to keep it.",
        )  # fmt: skip
    else:
        yield _finding("inotify", "good", "its limits are wide enough")
    if _is_wsl2(machine) and not (machine.root / "proc/net/xt_recent").exists():
        yield _finding(
            "WSL2", "limited", "This kernel of WSL2 shows no xt_recent, by which kube-proxy in mode iptables remembers "
            "clients (sessionAffinity: ClientIP)",
            "`sudo modprobe xt_recent`; where there is no such module, `kubelab proxy-mode nftables` does without it.",
        )  # fmt: skip


def _disk(engine: Engine) -> Iterator[Finding]:
    root = engine.facts.root
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return  # a plain user may not look there
    verdict = "bad" if free < DISK_NEEDED else "limited" if free < DISK_WANTED else "good"
    yield _finding(
        "disk", verdict, f"{free / GIB:.0f} GiB are free below {root}",
        "" if verdict == "good" else "on a full disk the control plane ends and no image can be fetched; "
        f"`{engine.name} system prune` makes room.",
    )  # fmt: skip


def _proxies(machine: Machine) -> Iterator[Finding]:
    environment = {name.upper(): value for name, value in machine.environment.items() if value}
    used = [name for name in PROXIES if name in environment]
    if not used:
        return
    exempt = environment.get("NO_PROXY", "")
    missing = [each for each in ("127.0.0.1", "localhost") if each not in exempt]
    advice = f"`export NO_PROXY={','.join(filter(None, [exempt, *missing]))}`" if missing else ""
    yield _finding(
        "proxy", "limited" if missing else "good",
        f"{' and '.join(used)} is set, which kind hands to the nodes"
        + (", and requests to this machine would go through it" if missing else ""),
        f"{advice}, so that the API and the ingress are reached directly." if missing else "",
    )  # fmt: skip


def _kubectl() -> Iterator[Finding]:
    """The machine's own may be one minor version away (https://kubernetes.io/releases/version-skew-policy/)."""
    program = shutil.which("kubectl")
    if program is None:
        return  # the notebooks do without
    done = run([program, "version", "--client", "--output=json"], timeout_seconds=ANSWER_SECONDS)
    its, the_nodes = (re.search(r"\bv1\.(\d+)\.", text) for text in (done.stdout, NODE_IMAGE))
    if its and the_nodes and abs(int(its[1]) - int(the_nodes[1])) > 1:
        yield _finding(
            "kubectl", "limited", f"{program} is of Kubernetes 1.{its[1]} and the cluster of 1.{the_nodes[1]}: more "
            "than one minor version apart they may misunderstand each other",
            "https://kubernetes.io/docs/tasks/tools/ has a newer one; the notebooks need none.",
        )  # fmt: skip


def _docker_settings(engine: Engine, machine: Machine) -> Iterator[Finding]:
    if engine.name != "docker":
        return
    try:
        settings = json.loads(machine.read("etc/docker/daemon.json") or "{}")
    except ValueError:
        settings = {}
    if settings.get("init"):
        yield _finding(
            "init", "limited", "/etc/docker/daemon.json says init: true, which has stopped nodes' systemd ('telinit')",
            "take that line out and restart Docker if nodes do not start.",
        )  # fmt: skip
    if os.path.realpath(engine.program).startswith("/snap/") or "/snap/" in engine.program:
        temporary = machine.environment.get("TMPDIR", "")
        home = machine.environment.get("HOME", "/home")
        if not temporary.startswith(home):
            yield _finding(
                "snap", "limited", "Docker from snap cannot read /tmp, where kind and kubelab hand it files",
                f"`mkdir -p {home}/tmp && export TMPDIR={home}/tmp`.",
            )  # fmt: skip


def _routes(engine: Engine, machine: Machine) -> Iterator[Finding]:
    """Of routes into what Docker takes for its networks; Docker itself keeps clear of networks that begin here."""
    if engine.name != "docker":
        return
    taken = []
    for line in machine.read("proc/net/route").splitlines()[1:]:
        interface, destination, _, flags, _, _, _, mask = line.split()[:8]
        network = ipaddress.ip_network(f"{_of_little_endian(destination)}/{_of_little_endian(mask)}")
        if int(flags, 16) & VIA_GATEWAY or interface.startswith(TUNNELS):
            taken += [f"{network} ({interface})"] if network.prefixlen and network.overlaps(DOCKER_RANGE) else []
    if taken:
        yield _finding(
            "routes", "limited", f"There is a route to {taken[0]}, and Docker takes its networks from {DOCKER_RANGE}, "
            "by which what is there may become unreachable",
            "name other ranges in /etc/docker/daemon.json (default-address-pools), and restart Docker.",
        )  # fmt: skip


def _of_little_endian(digits: str) -> str:
    """``0000A8C0``, as /proc/net/route has it on all that runs kind, → ``192.168.0.0``."""
    return str(ipaddress.ip_address(bytes.fromhex(digits)[::-1]))


def _rootless(engine: Engine, machine: Machine) -> Iterator[Finding]:
    if missing := [each for each in CONTROLLERS if each not in engine.facts.controllers]:
        yield _finding(
            "rootless", "bad", f"Without root the engine may not limit {' and '.join(missing)} (cgroup controllers "
            "that are not delegated), and kind refuses to begin",
            "write [Service] and Delegate=yes into /etc/systemd/system/user@.service.d/delegate.conf, "
            "`sudo systemctl daemon-reload`, and log in again.",
        )  # fmt: skip
    loaded = machine.read("proc/modules")
    modules = [each for each in ("ip_tables", "iptable_nat") if loaded and not _loaded(each, loaded)]
    if modules:
        yield _finding(
            "rootless", "limited", f"Without root nodes load no modules, and {' and '.join(modules)} are missing",
            f"`sudo modprobe -a {' '.join(modules)} ip6_tables ip6table_nat`, and the same in /etc/modules-load.d/.",
        )  # fmt: skip
    if engine.name == "podman" and "pids_limit" not in _podman_settings(machine):
        yield _finding(
            "podman", "limited", "Podman lets a node have 2048 threads (4096 as root), which lessons may use up",
            f"pids_limit = {PODMAN_PIDS} below [containers] in ~/.config/containers/containers.conf.",
        )  # fmt: skip


def _podman_settings(machine: Machine) -> str:
    home = machine.environment.get("HOME", "").lstrip("/")
    return machine.read(f"{home}/.config/containers/containers.conf") + machine.read("etc/containers/containers.conf")


def _loaded(module: str, modules: str) -> bool:
    return any(line.split(" ", 1)[0] == module for line in modules.splitlines())


def _is_wsl2(machine: Machine) -> bool:
    return "microsoft" in machine.read("proc/version").lower()


def _is_remote(machine: Machine) -> bool:
    return machine.environment.get("DOCKER_HOST", "").startswith(("tcp://", "ssh://"))


def _finding(name: str, verdict: str, detail: str, mend: str = "") -> Finding:
    return Finding(AREA, name, verdict, detail, mend)  # type: ignore[arg-type]
