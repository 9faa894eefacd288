"""/etc/resolv.conf, /etc/hosts and /etc/hostname of a pod, as kubelet writes them.

Sources: kubernetes.io, "DNS for Services and Pods" and "Adding entries to Pod /etc/hosts with HostAliases".
"""

from __future__ import annotations

from pathlib import Path

from kubelab.engine.client import Object
from kubelab.engine.config import CLUSTER_DOMAIN, DNS_SERVICE_IP
from kubelab.engine.node import fields

MOST_NAMESERVERS = 3


def pod_files(pod: Object, ip: str) -> dict[str, str]:
    """Path → content for `Program.files`."""
    return {
        "/etc/resolv.conf": resolv_conf(pod),
        "/etc/hosts": hosts(pod, ip),
        "/etc/hostname": fields.kernel_hostname(pod) + "\n",
    }


def resolv_conf(pod: Object, machine_file: Path = Path("/etc/resolv.conf")) -> str:
    """The resolver's file by ``dnsPolicy`` and ``dnsConfig``."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    nameservers: list[str] = []
    search: list[str] = []
    options: dict[str, str | None] = {}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        namespace = pod["metadata"]["namespace"]
        nameservers = [DNS_SERVICE_IP]
        search = [f"{namespace}.svc.{CLUSTER_DOMAIN}", f"svc.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN]
        options = {"ndots": "5"}
    elif policy == "Default":
        nameservers, search, options = _read(machine_file)
    extra = spec.get("dnsConfig") or {}
    nameservers = list(dict.fromkeys([*nameservers, *(extra.get("nameservers") or ())]))[:MOST_NAMESERVERS]
    search = list(dict.fromkeys([*search, *(extra.get("searches") or ())]))
    options |= {option["name"]: option.get("value") for option in extra.get("options") or ()}
    return _written(nameservers, search, options)


def _read(path: Path) -> tuple[list[str], list[str], dict[str, str | None]]:
    nameservers: list[str] = []
    search: list[str] = []
    options: dict[str, str | None] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        match line.split():
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search", *domains]:
                search = domains
            case ["options", *words]:
                for word in words:
                    name, colon, value = word.partition(":")
                    options[name] = value if colon else None
    return nameservers, search, options


def _written(nameservers: list[str], search: list[str], options: dict[str, str | None]) -> str:
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {address}" for address in nameservers]
    if options:
        words = [name if value is None else f"{name}:{value}" for name, value in options.items()]
        lines.append(f"options {' '.join(words)}")
    return "".join(f"{line}\n" for line in lines)


_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hosts(pod: Object, ip: str) -> str:
    """The hosts file: localhost, the pod's own name, ``hostAliases``."""
    spec = pod["spec"]
    name = fields.hostname(pod)
    full = fields.fqdn(pod)
    names = f"{full}\t{name}" if full else name
    text = f"# Kubernetes-managed hosts file.\n{_LOCAL}{ip}\t{names}\n"
    aliases = spec.get("hostAliases") or ()
    if aliases:
        lines = [f"{alias['ip']}\t{chr(9).join(alias.get('hostnames') or ())}\n" for alias in aliases]
        text += "\n# Entries added by HostAliases.\n" + "".join(lines)
    return text
