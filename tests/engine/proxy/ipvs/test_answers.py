"""ipvsadm and ipset where the kernel has neither: the tools' own formats, and what is said beside them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kubelab.engine.metrics import Metrics
from kubelab.engine.proxy.backend import Setting, StandsIn
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.ipvs.backend import IpvsBackend
from kubelab.engine.proxy.ipvs.listing import open_connections, read_servers
from kubelab.engine.proxy.ipvs.servers import Open, RealKey

FLOWS = b"""\
tcp      6 899 ESTABLISHED src=10.244.1.3 dst=10.96.0.1 sport=40001 dport=80 \
src=10.180.0.2 dst=10.244.1.3 sport=80 dport=40001 [ASSURED] mark=0 use=1
"""
TABLE = b"""\
table ip kubelab-ipvs {
\tchain tcp/10.96.0.1/80/10.180.0.2/80 {
\t\tmeta l4proto tcp counter packets 7 bytes 420 dnat to 10.180.0.2:80
\t}
}
"""


class Done(NamedTuple):
    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""


async def run(argv, stdin=b""):
    match argv:
        case ["ipvsadm" | "ipset" | "ip", *_]:
            return Done(127)
        case ["conntrack", "-L", *_]:
            return Done(stdout=FLOWS)
        case ["nft", "list", "table", *_]:
            return Done(stdout=TABLE)
    return Done()


@pytest.fixture
async def backend(make):
    service = make.service("web", "10.96.0.1", type="NodePort", node_port=30080, sessionAffinity="ClientIP")
    dns = make.service("dns", "10.96.0.2", protocol="UDP", port=53)
    slices = [make.slice("web", "10.180.0.2", "10.180.0.10"), make.slice("dns", "10.180.0.2", protocol="UDP", port=53)]
    made = IpvsBackend(Setting(run, ProxyConfig(), 4, Metrics({})))
    assert isinstance(made, StandsIn)
    assert await made.answer(["ipvsadm"]) is None, "nothing is loaded yet"
    await made.sync(make.state([service, dns], slices), None)
    return made


@pytest.fixture
def ask(backend):
    async def ask(line: str) -> str:
        done = await backend.answer(line.split())
        assert done.code == 0 and done.stderr.startswith(b"kubelab: ")
        return done.stdout.decode()

    return ask


LISTED = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:80 rr persistent 10800
  -> 10.180.0.2:80                Masq    1      1          0         \n\
  -> 10.180.0.10:80               Masq    1      0          0         \n\
TCP  172.18.0.3:30080 rr persistent 10800
  -> 10.180.0.2:80                Masq    1      0          0         \n\
  -> 10.180.0.10:80               Masq    1      0          0         \n\
UDP  10.96.0.2:53 rr
  -> 10.180.0.2:53                Masq    1      0          0         \n\
"""


@pytest.mark.parametrize("words", ["-L -n", "-Ln", "-ln", "--list --numeric", ""])
async def test_virtual_servers_are_listed(ask, words):
    assert await ask(f"ipvsadm {words}") == LISTED


async def test_what_is_saved_can_be_read_again(ask):
    saved = await ask("/sbin/ipvsadm -Sn")
    assert saved.splitlines()[:2] == [
        "-A -t 10.96.0.1:80 -s rr -p 10800",
        "-a -t 10.96.0.1:80 -r 10.180.0.2:80 -m -w 1",
    ]
    servers = read_servers(saved)
    assert [line for each in servers.values() for line in each.lines()] == saved.splitlines()
    web = ("10.96.0.1", 80, "tcp")
    assert open_connections(await ask("ipvsadm -Ln"))[RealKey(web, "10.180.0.2", 80)] == Open(1, 0)


async def test_one_virtual_server_and_its_statistics(ask):
    assert (
        await ask("ipvsadm -L -n --stats -t 10.96.0.1:80")
        == """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.96.0.1:80                        7        -        -        -        -
  -> 10.180.0.2:80                       7        -        -        -        -
  -> 10.180.0.10:80                      0        -        -        -        -
"""
    )


async def test_connections_are_listed(ask):
    assert (
        await ask("ipvsadm -Lnc")
        == """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 14:59  ESTABLISHED 10.244.1.3:40001   10.96.0.1:80       10.180.0.2:80
"""
    )


async def test_sets_are_listed_and_saved(ask):
    assert (
        await ask("ipset list KUBE-CLUSTER-IP")
        == """\
Name: KUBE-CLUSTER-IP
Type: hash:ip,port
Header: family inet hashsize 1024 maxelem 65536
References: 3
Number of entries: 2
Members:
10.96.0.1,tcp:80
10.96.0.2,udp:53
"""
    )
    assert "Members" not in await ask("ipset list -t")
    assert (await ask("ipset list -n")).splitlines()[:2] == ["KUBE-LOOP-BACK", "KUBE-CLUSTER-IP"]
    assert await ask("ipset save KUBE-NODE-PORT-TCP") == (
        "create KUBE-NODE-PORT-TCP bitmap:port range 0-65535\nadd KUBE-NODE-PORT-TCP 30080\n"
    )
    assert await ask("ipset test KUBE-NODE-PORT-TCP 30080") == "30080 is in set KUBE-NODE-PORT-TCP.\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ipvsadm -C", "ipvsadm: ipvsadm -C is not answered here: this kernel has no IPVS"),
        ("ipvsadm -Ln -t 10.96.0.9:80", "ipvsadm: No such service"),
        ("ipset flush", "ipset: ipset flush is not answered here"),
        ("ipset list mine", "ipset: The set with the given name does not exist"),
        ("ipset test KUBE-NODE-PORT-TCP 30081", "ipset: 30081 is NOT in set KUBE-NODE-PORT-TCP."),
    ],
)
async def test_what_cannot_be_answered_is_refused(backend, line, said):
    done = await backend.answer(line.split())
    assert done.code == 1 and done.stderr.decode().startswith(said) and done.stdout == b""


async def test_other_programs_are_run(backend):
    assert await backend.answer(["curl", "10.96.0.1"]) is None
