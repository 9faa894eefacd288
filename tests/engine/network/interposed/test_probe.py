"""Trying out what this machine allows."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from kubelab.engine.network.agent.backend import TierUnusable
from kubelab.engine.network.agent.interposed import kernel, probe
from kubelab.engine.network.agent.interposed.probe import try_interposed


def refuse(*_: object) -> int:
    raise PermissionError(1, "Operation not permitted")


def children() -> set[str]:
    """Of this process, ended or not; a cluster of other tests may be among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_here_it_works_and_leaves_nothing_behind():
    before = len(os.listdir("/proc/self/fd")), children()
    works, says = try_interposed()
    assert works, says
    assert says.endswith(".")
    assert (len(os.listdir("/proc/self/fd")), children()) == before


def test_without_pidfd_getfd_it_works_and_says_what_that_costs(monkeypatch):
    monkeypatch.setattr(kernel, "get_fd", refuse)
    works, says = try_interposed()
    assert works
    assert "pidfd_getfd(2) is refused" in says
    assert not probe.try_supervision().lendable


def test_without_seccomp_notification_one_sentence_says_so_and_what_to_do(monkeypatch):
    monkeypatch.setattr(kernel, "install_filter", refuse)
    works, says = try_interposed()
    assert not works
    assert says.startswith("The kernel refuses seccomp's user notification; to lift that: ")


def test_an_unknown_processor_is_named(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(TierUnusable, match="riscv64"):
        probe.try_supervision()
