"""The cluster's wires: an outside with a bridge, nodes on it, pods behind their node.

::

    outside   br0 172.18.0.1/16 ── eth0 172.18.0.2/16  node   vethXXXX 10.244.0.1/32 ── eth0 10.244.0.5/32  pod
                                └─ eth0 172.18.0.3/16  node   …

Pods hang on point-to-point links with one /32 route each, as kind's network plugin (kindnet, ptp) does it: no bridge on
the node, so nothing depends on br_netfilter. Every place is a network namespace that lives as long as its descriptor.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from kubelab.engine.config import NODE_CIDR, OUTSIDE_IP, POD_CIDR, SERVICE_CIDR, NodeSpec
from kubelab.engine.network.agent import rtnetlink
from kubelab.engine.network.agent.rtnetlink import LOOPBACK, Netlink
from kubelab.engine.network.agent.syscalls import CLONE_NEWNET, setns, unshare
from kubelab.engine.network.contract import Place

_ROUTER = {
    rtnetlink.FORWARDING: 1,
    rtnetlink.RP_FILTER: 0,
    rtnetlink.ROUTE_LOCALNET: 1,  # NodePorts on 127.0.0.1, as kube-proxy sets it
    rtnetlink.SEND_REDIRECTS: 0,
}
_ROUTER_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/route_localnet": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
}
_PLACE_SYSCTLS = {"net/ipv4/ping_group_range": "0 2147483647"}
_SECONDS_UNTIL_UP = 2.0
_FIRST_TABLE, _FIRST_PRIORITY = 100, 1100


@dataclass
class Namespace:
    """A network namespace, kept by a descriptor, with a netlink socket in it."""

    fd: int
    netlink: Netlink

    def close(self) -> None:
        """Let go of it; the kernel removes it when no process is left inside."""
        self.netlink.close()
        os.close(self.fd)


@dataclass
class _Node:
    spec: NodeSpec
    namespace: Namespace
    eth0: int
    mark: int
    """What the outside marks with it goes to this node, whatever its destination."""


@dataclass
class _Pod:
    namespace: Namespace
    node: _Node
    device: int
    """Its end on the node."""


@dataclass
class Topology:
    """Makes and keeps the places. Methods raise OSError as the kernel does, KeyError for an unknown place."""

    outside: Namespace
    bridge: int
    nodes: dict[str, _Node] = field(default_factory=dict)
    pods: dict[str, _Pod] = field(default_factory=dict)

    # Explicit indexes spare a question to the kernel; small ones may belong to fallback tunnels (sit0, tunl0).
    _indexes: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    @classmethod
    def build(cls) -> Topology:
        """Make the namespace in which the agent stands the outside, with the bridge in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        outside = Namespace(home, Netlink())
        bridge = 1000
        outside.netlink.do(
            [
                rtnetlink.set_up(LOOPBACK),
                rtnetlink.bridge("br0", bridge),
                rtnetlink.address(bridge, f"{OUTSIDE_IP}/{NODE_CIDR.prefixlen}"),
                rtnetlink.set_up(bridge, settings=_ROUTER),
                # Nodes send here what no node has: addresses of dead pods, Services' ports that no rule knows. On the
                # street behind kind's nodes such packets get no answer, so a client times out.
                rtnetlink.blackhole(str(POD_CIDR), "br0", 1000),
                rtnetlink.blackhole(str(SERVICE_CIDR), "br0", 1001),
            ]
        )
        return cls(outside, bridge)

    @property
    def home(self) -> int:
        """The namespace to which the agent's thread always returns."""
        return self.outside.fd

    def namespace_of(self, place: Place) -> int:
        """The descriptor of a place's network namespace."""
        if place.kind == "outside":
            return self.outside.fd
        if place.kind == "node":
            return self.nodes[place.name].namespace.fd
        return self.pods[place.name].namespace.fd

    def add_node(self, spec: NodeSpec) -> None:
        """A node on the bridge, with routes between its pods and those of the others."""
        if spec.name in self.nodes:
            raise OSError(errno.EEXIST, f"there is a node {spec.name} already")
        with _new_namespace(self.home) as namespace:
            _sysctls(_ROUTER_SYSCTLS | _PLACE_SYSCTLS)
        outer, eth0 = next(self._indexes), next(self._indexes)
        name = _device_name(spec.name)
        self.outside.netlink.do([rtnetlink.veth(name, outer, "eth0", eth0, namespace.fd)])
        others = list(self.nodes.values())
        namespace.netlink.do(
            [
                rtnetlink.set_up(LOOPBACK, settings=_ROUTER),
                rtnetlink.set_up(eth0, settings=_ROUTER),
                rtnetlink.address(eth0, f"{spec.ip}/{NODE_CIDR.prefixlen}"),
                rtnetlink.route("0.0.0.0/0", eth0, via=OUTSIDE_IP),
                *(rtnetlink.route(other.spec.pod_cidr, eth0, via=other.spec.ip) for other in others),
            ]
        )
        mark = len(others) + 1
        self.outside.netlink.do(
            [
                rtnetlink.set_up(outer, master=self.bridge),
                rtnetlink.route("0.0.0.0/0", self.bridge, via=spec.ip, table=_FIRST_TABLE + mark),
                rtnetlink.marked(mark, _FIRST_TABLE + mark, _FIRST_PRIORITY + mark),
            ]
        )
        for other in others:
            other.namespace.netlink.do([rtnetlink.route(spec.pod_cidr, other.eth0, via=spec.ip)])
        _wait_until_up((namespace.netlink, eth0), (self.outside.netlink, outer), (self.outside.netlink, self.bridge))
        self.nodes[spec.name] = _Node(spec, namespace, eth0, mark)

    def marks_of(self, nodes: Iterable[str]) -> list[int]:
        """What the outside marks a connection with to send it to one of these nodes."""
        return [self.nodes[name].mark for name in nodes]

    def add_pod(self, uid: str, node_name: str, ip: str) -> None:
        """A pod behind a node: its only neighbour is the node's end of the link, 10.244.x.1."""
        if uid in self.pods:
            raise OSError(errno.EEXIST, f"there is a pod {uid} already")
        node = self.nodes[node_name]
        gateway = str(ipaddress.IPv4Network(node.spec.pod_cidr)[1])
        with _new_namespace(self.home) as namespace:
            _sysctls(_PLACE_SYSCTLS)
        outer, eth0 = next(self._indexes), next(self._indexes)
        try:
            node.namespace.netlink.do(
                [rtnetlink.veth(_device_name(f"{uid} {outer}"), outer, "eth0", eth0, namespace.fd)]
            )
            namespace.netlink.do(
                [
                    rtnetlink.set_up(LOOPBACK),
                    rtnetlink.set_up(eth0),
                    rtnetlink.address(eth0, f"{ip}/32"),
                    rtnetlink.route(f"{gateway}/32", eth0),
                    rtnetlink.route("0.0.0.0/0", eth0, via=gateway),
                ]
            )
            node.namespace.netlink.do(
                [
                    rtnetlink.set_up(outer, settings=_ROUTER),
                    rtnetlink.address(outer, f"{gateway}/32"),
                    rtnetlink.route(f"{ip}/32", outer),
                ]
            )
            _wait_until_up((namespace.netlink, eth0), (node.namespace.netlink, outer))
        except OSError:
            self._take_away(_Pod(namespace, node, outer))
            raise
        self.pods[uid] = _Pod(namespace, node, outer)

    def remove_pod(self, uid: str) -> None:
        """Quiet when unknown."""
        pod = self.pods.pop(uid, None)
        if pod is not None:
            self._take_away(pod)

    def _take_away(self, pod: _Pod) -> None:
        """Deleting the link would hold up the agent for 10 to 50 ms; down, it waits for the namespace's end."""
        try:
            pod.node.namespace.netlink.do([rtnetlink.set_down(pod.device)])
        except OSError as error:
            if error.errno != errno.ENODEV:  # it was never made
                raise
        finally:
            pod.namespace.close()


@contextmanager
def visit(fd: int, home: int) -> Iterator[None]:
    """Be in another network namespace for a moment: sockets made there stay there."""
    setns(fd, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)


@contextmanager
def _new_namespace(home: int) -> Iterator[Namespace]:
    """Make a network namespace; the block runs inside."""
    unshare(CLONE_NEWNET)
    try:
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        yield Namespace(fd, Netlink())
    finally:
        setns(home, CLONE_NEWNET)


def _sysctls(values: dict[str, str]) -> None:
    """Set what /proc/sys lets us set: for the eyes. What traffic needs is set by netlink, device by device."""
    for name, value in values.items():
        with suppress(OSError), open(f"/proc/sys/{name}", "w") as setting:
            setting.write(value)


def _wait_until_up(*devices: tuple[Netlink, int]) -> None:
    """A device set up before its peer drops packets until the kernel's link watch has noticed the peer."""
    deadline = time.monotonic() + _SECONDS_UNTIL_UP
    for netlink, index in devices:
        while not netlink.is_up(index):
            if time.monotonic() > deadline:
                raise OSError(errno.ENETDOWN, f"device {index} does not come up")
            time.sleep(0.0002)


def _device_name(of: str) -> str:
    return f"veth{zlib.crc32(of.encode()):08x}"
