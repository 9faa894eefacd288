"""The life of a name server with its Corefile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import pytest
from dnslib import DNSRecord

from kubelab.engine.dns.corefile import CorefileError
from kubelab.engine.dns.instance import Surroundings
from kubelab.engine.dns.plugins.base import Fatal
from kubelab.engine.dns.plugins.prometheus import new_metrics
from kubelab.engine.dns.plugins.status import Reload
from kubelab.engine.dns.service import Service
from kubelab.engine.dns.upstream import Upstream


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class Corefile:
    """A file that changes, and a server that reads it."""

    def __init__(self, *lines: str) -> None:
        self.port = free_port()
        self.write(*lines)
        self.metrics = new_metrics()
        self.said: list[str] = []
        self.service = Service(
            lambda: self.text, "Corefile", Surroundings(self.metrics, client=lambda: None), say=self.said.append
        )

    def write(self, *lines: str) -> None:
        self.text = "\n".join([f".:{self.port} {{", "reload", *lines, "}"])

    async def ask(self, name: str) -> list[str]:
        response = await Upstream(["127.0.0.1"], port=self.port).ask(bytes(DNSRecord.question(name).pack()), udp=True)
        return [str(record.rdata) for record in DNSRecord.parse(response).rr]


@contextlib.asynccontextmanager
async def serving(corefile: Corefile):
    stop = asyncio.Event()
    running = asyncio.create_task(corefile.service.run(stop))
    try:
        await until(lambda: len(corefile.said) > 1 or running.done())
        yield running
    finally:
        stop.set()
        with contextlib.suppress(Fatal):
            await running


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another's state
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch, caplog):
    monkeypatch.setattr(Reload, "SHORTEST_SECONDS", 0.05)
    caplog.set_level(logging.INFO)


async def test_a_changed_corefile_is_taken_without_a_restart(caplog):
    corefile = Corefile("hosts {", "192.0.2.1 a.test", "}")
    async with serving(corefile):
        assert await corefile.ask("a.test") == ["192.0.2.1"]
        corefile.write("hosts {", "192.0.2.2 a.test", "}")
        await until(lambda: "Reloading complete" in caplog.messages)
        assert await corefile.ask("a.test") == ["192.0.2.2"]
    assert corefile.said[0] == f".:{corefile.port}" and corefile.said[1].startswith("CoreDNS-1.14")


async def test_a_corefile_with_a_slip_changes_nothing_and_is_told_of(caplog):
    corefile = Corefile("hosts {", "192.0.2.1 a.test", "}")
    async with serving(corefile):
        corefile.write("hots {", "}")
        await until(lambda: any("reload failed" in message for message in caplog.messages))
        assert await corefile.ask("a.test") == ["192.0.2.1"]
        assert caplog.messages[-2:] == [
            "Restart failed: Corefile:3 - Error during parsing: Unknown directive 'hots'",
            "plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: "
            "Corefile:3 - Error during parsing: Unknown directive 'hots'",
        ]
        assert corefile.metrics.value("coredns_reload_failed_total") == 1


async def test_a_port_that_cannot_be_had_leaves_the_old_corefile_in_force(caplog):
    corefile = Corefile("hosts {", "192.0.2.1 a.test", "}")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        async with serving(corefile):
            corefile.write("hosts {", "192.0.2.2 a.test", "}", f"health :{taken.getsockname()[1]}")
            await until(lambda: any("bind: address already in use" in message for message in caplog.messages))
            assert await corefile.ask("a.test") == ["192.0.2.1"]


def test_a_first_corefile_with_a_slip_is_no_start():
    with pytest.raises(CorefileError, match=r"^Corefile:3 - Error during parsing: Unknown directive 'hots'$"):
        Corefile("hots {", "}")


async def test_a_server_that_asks_itself_ends():
    corefile = Corefile("errors")
    corefile.write("loop", f"forward . 127.0.0.1:{corefile.port}")
    corefile.service = Service(
        lambda: corefile.text, "Corefile", Surroundings(corefile.metrics, client=lambda: None), say=corefile.said.append
    )
    async with serving(corefile) as running:
        with pytest.raises(Fatal, match=r"^plugin/loop: Loop \(127\.0\.0\.1:\d+ -> :\d+\) detected for zone"):
            async with asyncio.timeout(20):
                await asyncio.shield(running)


async def test_whoever_has_not_heard_that_it_ends_is_still_answered():
    corefile = Corefile("health :0 {", "lameduck 300ms", "}", "hosts {", "192.0.2.1 a.test", "}")
    stop = asyncio.Event()
    running = asyncio.create_task(corefile.service.run(stop))
    await until(lambda: len(corefile.said) > 1)
    stop.set()
    assert await corefile.ask("a.test") == ["192.0.2.1"]
    await running
