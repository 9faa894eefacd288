"""Cluster addresses and the loopback addresses that stand for them."""

from __future__ import annotations

import socket

import pytest

from kubelab.engine.network.agent.interposed.addresses import AddressPlan, in_cluster
from kubelab.engine.network.agent.interposed.sockaddr import Address, build, parse
from kubelab.engine.network.agent.interposed.stands import Stands


@pytest.fixture
def plan():
    plan = AddressPlan()
    yield plan
    plan.release()


@pytest.mark.parametrize("ip", ["10.244.0.2", "10.244.2.254", "172.18.0.1", "172.18.0.4", "10.244.1.1"])
def test_every_place_has_a_loopback_address_and_back(plan, ip):
    assert plan.outer(ip).startswith(f"127.{plan.octet}.")
    assert plan.inner(plan.outer(ip)) == ip
    assert plan.localhost(ip).startswith(f"127.{plan.octet + 1}.")
    assert plan.inner(plan.localhost(ip)) == "127.0.0.1"


@pytest.mark.parametrize("ip", ["10.96.0.1", "8.8.8.8", "172.18.255.10", "172.18.0.254", "10.244.255.1"])
def test_virtual_and_foreign_addresses_have_none(plan, ip):
    with pytest.raises(KeyError):
        plan.outer(ip)


def test_what_is_not_of_this_cluster_stays_as_it_is(plan):
    other = AddressPlan()
    try:
        assert other.octet != plan.octet
        assert plan.inner(other.outer("10.244.1.2")) == other.outer("10.244.1.2")
    finally:
        other.release()


def test_a_range_is_free_again_after_its_release():
    plan = AddressPlan()
    plan.release()
    again = AddressPlan(plan.octet)
    again.release()
    assert again.octet >= plan.octet


def test_ports_that_a_plain_user_may_not_bind_are_moved_and_back(plan):
    plan.first_port = 1024
    assert [plan.outer_port(port) for port in (0, 1, 80, 1023, 1024, 30080)] == [
        0,
        64513,
        64592,
        65535,
        1024,
        30080,
    ]
    assert all(plan.inner_port(plan.outer_port(port)) == port for port in (1, 53, 80, 443, 1023, 1024, 8080))
    plan.first_port = 1
    assert [plan.outer_port(port) for port in (1, 80, 65535)] == [1, 80, 65535]


def test_the_cluster_is_pods_services_and_nodes():
    assert all(in_cluster(ip) for ip in ("10.244.1.2", "10.96.0.10", "172.18.0.2"))
    assert not any(in_cluster(ip) for ip in ("10.2.0.1", "127.0.0.1", "172.17.0.2", "10.9.6.0"))


def test_a_sockaddr_is_read_and_written_for_both_families():
    four = build(socket.AF_INET, "10.96.0.1", 443)
    assert parse(four) == Address(socket.AF_INET, "10.96.0.1", 443)
    six = build(socket.AF_INET6, "10.96.0.1", 443)
    assert parse(six) == Address(socket.AF_INET6, "10.96.0.1", 443)
    assert parse(build(socket.AF_INET6, "::1", 80)) == Address(socket.AF_INET6, "::1", 80)
    assert parse(b"\1\0/run/socket") is None
    assert parse(six[:20]) is None


def test_a_server_moves_where_a_stranger_has_its_port_and_comes_back_to_the_same(plan):
    stands = Stands(plan)
    ip = plan.outer("10.244.1.2")
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        port = stranger.getsockname()[1]
        with socket.socket() as server:
            stands.bind(server, ip, port, lambda: None)
            real = stands.where("tcp", ip, port)
            assert real not in (None, port)
            assert stands.inner_port(ip, real) == port
            with socket.socket() as second, pytest.raises(OSError, match="in use"):
                stands.bind(second, ip, port, lambda: None)
        with socket.socket() as again:
            stands.bind(again, ip, port, lambda: None)
            assert again.getsockname()[1] == real
    stands.forget(ip)
    assert stands.where("tcp", ip, port) is None
