"""What is found on a machine: every finding that is not good says what it costs and what mends it."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind import preflight
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.containers import find_engine
from kubelab.clusters.kind.preflight import GIB, Machine, examine, refusal, report, warnings
from tests.clusters.kind.conftest import INFO, PODMAN_INFO

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0"""
A_VPN = "tun0\t000014AC\t00000000\t0001\t0\t0\t50\t0000FFFF\t0\t0\t0"
"""As the kernel prints them: by a gateway to everywhere, and to 172.17.0.0/16, which begins here."""


@pytest.fixture
def machine(tmp_path):
    """A machine in order; its files can be overwritten."""

    def write(**files: str) -> Machine:
        for path, text in {"proc/sys/fs/inotify/max_user_watches": "1048576",
                           "proc/sys/fs/inotify/max_user_instances": "8192", "proc/version": "Linux version 6.12",
                           "proc/net/route": ROUTES,
                           **files}.items():  # fmt: skip
            (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / path).write_text(text)
        return Machine(tmp_path / "root", {"HOME": "/home/ada"})

    return write


@pytest.fixture(autouse=True)
def space(monkeypatch):
    """How much is free on every disk, in bytes."""

    def free(gib: float) -> None:
        usage = shutil._ntuple_diskusage(100 * GIB, 0, int(gib * GIB))
        monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: usage)

    free(50)
    return free


def found(machine: Machine) -> dict[str, tuple[str, str]]:
    """Name → verdict and words; what is not good always says what mends it, in a sentence."""
    assert all(each.mend.endswith(".") for each in examine(find_engine(), machine) if each.verdict != "good")
    return {each.name: (each.verdict, f"{each.detail}: {each.mend}") for each in examine(find_engine(), machine)}


def test_a_machine_in_order_is_all_good(programs, machine):
    assert {verdict for verdict, _ in found(machine()).values()} == {"good"}


@pytest.mark.parametrize(
    ("files", "name", "verdict", "words"),
    [
        ({"proc/sys/fs/inotify/max_user_instances": "128"}, "inotify", "limited",
         ("max_user_instances is 128", "'too many open files'", "sudo sysctl fs.inotify.max_user_instances=512")),
        ({"proc/version": "Linux version 6.6 (Microsoft@Microsoft.com)"}, "WSL2", "limited",
         ("xt_recent", "ClientIP", "kubelab proxy-mode nftables")),
        ({"etc/docker/daemon.json": '{"init": true}'}, "init", "limited", ("telinit", "take that line out")),
        ({"proc/net/route": f"{ROUTES}\n{A_VPN}"}, "routes", "limited",
         ("172.20.0.0/16 (tun0)", "default-address-pools")),
    ],
)  # fmt: skip
def test_what_the_kernel_or_the_settings_lack(programs, machine, files, name, verdict, words):
    verdict_found, said = found(machine(**files))[name]
    assert verdict_found == verdict
    assert all(word in said for word in words)


@pytest.mark.parametrize(
    ("info", "name", "verdict", "words"),
    [
        ({"CgroupVersion": "1"}, "cgroup", "bad", ("cgroup v1", "kubelet", "systemd.unified_cgroup_hierarchy=1")),
        ({"MemTotal": GIB}, "memory", "bad", ("1.0 GiB", "kubelab up")),
        ({"MemTotal": 3 * GIB}, "memory", "limited", ("3.0 GiB", "4 GiB are comfortable")),
    ],
)
def test_what_the_engine_lacks(programs, machine, info, name, verdict, words):
    programs.info({**INFO, **info})
    verdict_found, said = found(machine())[name]
    assert verdict_found == verdict
    assert all(word in said for word in words)


@pytest.mark.parametrize(("gib", "verdict"), [(2, "bad"), (8, "limited"), (50, "good")])
def test_room_on_the_disk(programs, machine, space, gib, verdict):
    space(gib)
    assert found(machine())["disk"][0] == verdict


@pytest.mark.parametrize(("version", "told"), [("v1.34.1", True), ("v1.35.0", False), ("v1.37.2", False)])
def test_a_kubectl_too_far_from_the_nodes_is_told(programs, machine, version, told):
    kubectl = programs.path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho \'{{"clientVersion": {{"gitVersion": "{version}"}}}}\'\n')
    kubectl.chmod(0o755)
    assert ("kubectl" in found(machine())) is told


def test_room_is_made_by_the_engine_that_is_there(programs, machine, space, monkeypatch):
    programs.install("podman")
    programs.info(PODMAN_INFO)
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    space(8)
    assert "`podman system prune` makes room" in found(machine())["disk"][1]


def test_a_proxy_needs_exceptions_for_this_machine(programs, machine):
    behind = dataclasses.replace(machine(), environment={"https_proxy": "http://proxy:3128", "no_proxy": "corp.test"})
    verdict, said = found(behind)["proxy"]
    assert verdict == "limited"
    assert "HTTPS_PROXY is set" in said
    assert "export NO_PROXY=corp.test,127.0.0.1,localhost" in said


def test_what_is_on_another_machine_is_not_looked_at_here(programs, machine):
    files = {"proc/sys/fs/inotify/max_user_watches": "1"}
    away = dataclasses.replace(machine(**files), environment={"DOCKER_HOST": "ssh://build@host"})
    seen = found(away)
    assert seen["place"][0] == "limited"
    assert not {"inotify", "disk"} & seen.keys()
    programs.info({**INFO, "OperatingSystem": "Docker Desktop"})
    assert not {"inotify", "disk"} & found(machine(**files)).keys()


def test_on_wsl2_all_engines_have_the_kernel_that_is_seen_here(programs, machine):
    programs.info({**INFO, "OperatingSystem": "Docker Desktop"})
    on_windows = machine(**{"proc/version": "Linux version 6.6 (Microsoft@Microsoft.com)"})
    seen = found(on_windows)
    assert seen["WSL2"][0] == "limited"
    assert "sudo modprobe xt_recent" in seen["WSL2"][1]
    assert not {"disk", "routes"} & seen.keys()


def test_on_macos_the_engine_is_in_a_machine_of_its_own_whatever_it_says(programs, machine, monkeypatch):
    """Colima's Docker says that it runs on Ubuntu; nothing of that is to be seen below /proc and /etc here."""
    monkeypatch.setattr(preflight.sys, "platform", "darwin")
    programs.info({**INFO, "OperatingSystem": "Ubuntu 24.04 LTS"})
    seen = found(machine(**{"proc/sys/fs/inotify/max_user_watches": "1", "etc/docker/daemon.json": '{"init": true}'}))
    assert {"cgroup", "memory", "ports"} <= seen.keys()
    assert not {"inotify", "disk", "init", "routes", "WSL2"} & seen.keys()


def test_without_root_controllers_modules_and_threads_are_looked_at(programs, machine, monkeypatch):
    programs.install("podman")
    programs.info({**PODMAN_INFO, "host": {**PODMAN_INFO["host"], "cgroupControllers": ["pids"]}})
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    poor = machine(**{"proc/modules": "ip_tables 1 0 - Live 0x0"})
    said = [f"{each.detail}: {each.mend}" for each in examine(find_engine(), poor) if each.verdict != "good"]
    assert any("may not limit cpu and memory" in each and "Delegate=yes" in each for each in said)
    assert any("iptable_nat are missing: `sudo modprobe -a iptable_nat" in each for each in said)
    assert any("pids_limit = 65536" in each for each in said)
    programs.info(PODMAN_INFO)
    rich = machine(**{
        "proc/modules": "ip_tables 1 0\niptable_nat 1 0\n",
        "home/ada/.config/containers/containers.conf": "[containers]\npids_limit = 65536\n",
    })  # fmt: skip
    assert {each.verdict for each in examine(find_engine(), rich)} == {"good"}


@pytest.mark.parametrize(
    ("said", "verdicts"),
    [
        ({"CgroupDriver": "systemd", "CPUShares": True, "MemoryLimit": True, "PidsLimit": True}, []),
        ({"CgroupDriver": "systemd", "CPUShares": False, "MemoryLimit": True, "PidsLimit": True}, ["bad"]),
        ({"CgroupDriver": "none", "CPUShares": True, "MemoryLimit": True, "PidsLimit": True}, ["bad"]),
    ],
)
def test_docker_without_root_says_by_what_it_can_limit(programs, machine, said, verdicts):
    """With driver none, what it says of limits means nothing (https://github.com/moby/moby/issues/42151)."""
    programs.info({**INFO, **said, "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]})
    assert [each.verdict for each in examine(find_engine(), machine()) if each.name == "rootless"] == verdicts


def test_what_is_bad_forbids_a_start_and_the_rest_is_said(programs, machine):
    programs.info({**INFO, "CgroupVersion": "1", "MemTotal": 3 * GIB})
    findings = examine(find_engine(), machine())
    assert refusal(findings).startswith("The engine runs on cgroup v1")
    assert len(warnings(findings)) == 1
    cluster = KindCluster("demo")
    with pytest.raises(ClusterError, match="cgroup v1"):
        cluster.up()
    assert not programs.called("kind create")
    assert not cluster.state.root.exists()


def test_the_report_names_engine_and_kind_too(programs):
    assert {"engine", "kind"} <= {each.name for each in report() if each.verdict == "good"}
    (programs.path / "kind").unlink()
    assert any(each.verdict == "bad" and "kind is not on PATH" in each.detail for each in report())
    (programs.path / "docker").unlink()
    (only,) = report()
    assert (only.name, only.verdict) == ("engine", "bad")
