"""What the tools are told on a kernel that has IPVS. None is needed: a shelf of recorded answers stands for it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kubelab.engine.metrics import Metrics
from kubelab.engine.proxy.backend import Setting
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.ipvs import choice
from kubelab.engine.proxy.ipvs.backend import IpvsBackend
from kubelab.engine.proxy.ipvs.kernel import OWNED
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.services import PortName
from kubelab.rules import Ruleset

LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:80 rr
  -> 10.180.0.1:80                Masq    1      2          1
  -> 10.180.0.2:80                Masq    1      0          0
"""


class Done(NamedTuple):
    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


class IpvsNode:
    """Remembers what it is told, so far as the tests ask for it again."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[str]]] = []
        self.saved = ""
        self.listed = ""
        self.sets: dict[str, None] = {}
        self.addresses: list[str] = []
        self.device = False
        self.rules = Ruleset()
        self.without: set[str] = set()

    async def run(self, argv, stdin=b""):
        lines = stdin.decode().splitlines()
        self.said.append((" ".join(argv), lines))
        if argv[0] in self.without:
            return Done(127, stderr=b"not found")
        match argv:
            case ["ipvsadm", "-S", "-n"]:
                return Done(stdout=self.saved.encode())
            case ["ipvsadm", "-L", "-n"]:
                return Done(stdout=self.listed.encode())
            case ["ipset", "save"]:
                return Done(stdout="".join(f"{line}\n" for line in self.sets).encode())
            case ["ipset", "-exist", "restore"]:
                self._restore_sets(lines)
            case ["ip", "link", *rest]:
                return self._link(rest)
            case ["ip", "-o", *_]:
                shown = (f"9: kube-ipvs0    inet {ip}/32 scope global kube-ipvs0\n" for ip in self.addresses)
                return Done(stdout="".join(shown).encode())
            case ["ip", "-batch", "-"]:
                for line in lines:
                    _, verb, address, *_ = line.split()
                    change = self.addresses.append if verb == "add" else self.addresses.remove
                    change(address.removesuffix("/32"))
            case ["iptables-save"]:
                return Done(stdout=self.rules.save().encode())
            case ["iptables-restore", *_]:
                self.rules.restore(stdin.decode(), strict=False)
        return Done()

    def _restore_sets(self, lines):
        for line in lines:
            if line.startswith("del"):
                del self.sets[f"add{line[3:]}"]
            else:
                self.sets[line] = None

    def _link(self, rest):
        if rest[0] == "show":
            return Done(0 if self.device else 1)
        self.device = rest[0] == "add"
        return Done()

    def told(self, command: str) -> list[str]:
        """The lines that a command was fed, since it was last asked for."""
        found = [line for said, lines in self.said if said == command for line in lines]
        self.said = [each for each in self.said if each[0] != command]
        return found


@pytest.fixture
def ipvs_node():
    return IpvsNode()


@pytest.fixture
def backend(ipvs_node):
    config = ProxyConfig(cluster_cidr="10.244.0.0/16", ipvs_exclude_cidrs=("192.0.2.0/24",))
    return IpvsBackend(Setting(ipvs_node.run, config, 4, Metrics({})))


@pytest.fixture
def state(make):
    """A Service's state with endpoints 10.180.0.N."""

    def state(*numbers: int, **spec):
        service = make.service("web", "10.96.0.1", **spec)
        return make.state([service], [make.slice("web", *(f"10.180.0.{n}" for n in numbers))])

    return state


async def test_everything_is_loaded_in_the_order_of_a_sync(ipvs_node, backend, state):
    assert await backend.sync(state(1, 2), None) == {"internal": 0, "external": 0}
    assert backend.detail == "" and backend.owned == OWNED
    order = [command for command, _ in ipvs_node.said]
    wanted = [
        "iptables --version", "ipvsadm -A -t 198.51.100.0:20000 -s rr", "ipvsadm -D -t 198.51.100.0:20000",
        "ipvsadm -S -n", "sysctl -q -w net.ipv4.vs.conntrack=1", "iptables-save",
        "ip link add kube-ipvs0 type dummy", "ipset -exist restore", "ipvsadm -R", "ip -batch -",
        "iptables-restore -w 5 --noflush --counters",
    ]  # fmt: skip
    assert [each for each in dict.fromkeys(order) if each in wanted] == [*wanted[:-1][:6], wanted[-1], *wanted[6:-1]]
    assert ipvs_node.told("ipvsadm -R") == [
        "-A -t 10.96.0.1:80 -s rr",
        "-a -t 10.96.0.1:80 -r 10.180.0.1:80 -m -w 1",
        "-a -t 10.96.0.1:80 -r 10.180.0.2:80 -m -w 1",
    ]
    assert ipvs_node.addresses == ["10.96.0.1"]
    assert "add KUBE-CLUSTER-IP 10.96.0.1,tcp:80" in ipvs_node.sets
    saved = ipvs_node.rules.save("filter")
    assert saved.index("-A INPUT -m comment --comment \"kubernetes ipvs access filter\" -j KUBE-IPVS-FILTER") < (
        saved.index("-j KUBE-PROXY-FIREWALL")
    ) < saved.index("-j KUBE-NODE-PORT")  # fmt: skip


async def test_a_change_tells_what_differs(ipvs_node, backend, state):
    await backend.sync(state(1, 2), None)
    ipvs_node.told("ipvsadm -R")
    ipvs_node.listed = LISTED
    await backend.sync(state(3, port=80), {PortName("ns1", "web", "p80", "tcp")})
    assert ipvs_node.told("ipvsadm -R") == [
        "-a -t 10.96.0.1:80 -r 10.180.0.3:80 -m -w 1",
        "-e -t 10.96.0.1:80 -r 10.180.0.1:80 -m -w 0",
        "-d -t 10.96.0.1:80 -r 10.180.0.2:80",
    ]
    ipvs_node.listed = ""
    assert not await backend.gone()
    assert ipvs_node.told("ipvsadm -R") == [], "a minute has not passed"


async def test_what_stood_before_is_taken_over_or_taken_away(ipvs_node, backend, state):
    ipvs_node.saved = """\
-A -t 10.96.0.1:80 -s rr -p 300
-a -t 10.96.0.1:80 -r 10.180.0.1:80 -m -w 0
-A -t 10.96.0.99:80 -s rr
-A -t 192.0.2.1:80 -s wlc
-A -t [fd00::1]:80 -s rr
-A -f 7 -s rr
"""
    ipvs_node.sets = dict.fromkeys(["add KUBE-CLUSTER-IP 10.96.0.99,tcp:80", "add mine 1.2.3.4"])
    ipvs_node.addresses, ipvs_node.device = ["10.96.0.99"], True
    await backend.sync(state(1), None)
    assert ipvs_node.told("ipvsadm -R") == [
        "-E -t 10.96.0.1:80 -s rr",
        "-e -t 10.96.0.1:80 -r 10.180.0.1:80 -m -w 1",
        "-D -t 10.96.0.99:80",
    ], "but not what is excluded, of the other family, or by mark"
    assert "add KUBE-CLUSTER-IP 10.96.0.99,tcp:80" not in ipvs_node.sets and "add mine 1.2.3.4" in ipvs_node.sets
    assert ipvs_node.addresses == ["10.96.0.1"]


async def test_nothing_is_left_behind(ipvs_node, backend, state):
    await backend.sync(state(1), None)
    ipvs_node.saved = "-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.180.0.1:80 -m -w 1\n"
    ipvs_node.told("ipvsadm -R")
    await backend.clean_up(Owned())
    assert ipvs_node.told("ipvsadm -R") == ["-D -t 10.96.0.1:80"]
    assert not ipvs_node.device
    assert "KUBE" not in ipvs_node.rules.save()
    assert sum(command.startswith("ipset destroy KUBE-") for command, _ in ipvs_node.said) == 17


@pytest.mark.parametrize(
    ("without", "in_the_kernel", "detail"),
    [
        ("ipvsadm", False, "this kernel has no IPVS"),
        ("ipvsadm", True, "the program ipvsadm is not installed"),
        ("ipset", True, "the program ipset is not installed"),
    ],
)
async def test_where_something_is_missing_it_is_evaluated_and_said(
    monkeypatch, ipvs_node, backend, state, without, in_the_kernel, detail
):
    monkeypatch.setattr(choice, "_may_have_ipvs", lambda: in_the_kernel)
    ipvs_node.without.add(without)
    await backend.sync(state(1), None)
    assert backend.detail == f"evaluated: {detail}"
    assert backend.owned == Owned()
    assert any("add table ip kubelab-ipvs" in line for line in ipvs_node.told("nft -f -"))
