"""/etc/resolv.conf, /etc/hosts and /etc/hostname of a pod, as kubelet writes them.

Sources: kubernetes.io, "DNS for Services and Pods" and "Adding entries to Pod /etc/hosts with HostAliases".
"""

from __future__ import annotations

from kubelab.engine.client import Object
from kubelab.engine.node import fields
from kubelab.engine.node.resolver import resolver_of


def pod_files(pod: Object, ip: str) -> dict[str, str]:
    """Path → content for `Program.files`."""
    return {
        "/etc/resolv.conf": resolver_of(pod).text,
        "/etc/hosts": hosts(pod, ip),
        "/etc/hostname": fields.kernel_hostname(pod) + "\n",
    }


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
