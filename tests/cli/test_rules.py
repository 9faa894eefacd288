from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kubelab.cli import cli

OBJECTS = {
    "services": [
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.20", "ports": [{"port": 80, "protocol": "TCP"}]},
        }
    ],
    "endpointslices": [
        {
            "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.244.1.2"], "nodeName": "one"}],
        }
    ],
    "nodes": [
        {"metadata": {"name": "one"}, "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]}}
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(OBJECTS))
    return path


def rules(*argv: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["rules", *argv], input=stdin)


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("iptables", "-j DNAT --to-destination 10.244.1.2:8080"),
        ("nftables", "numgen random mod 1 map { 0 : 10.244.1.2 . 8080 }"),
        ("ipvs", "-a -t 10.96.0.20:80 -r 10.244.1.2:8080 -m -w 1"),
    ],
)
def test_each_mode_prints_its_rules(file, mode, line):
    result = rules("--mode", mode, "--node", "one", "--objects", str(file), "--cluster-cidr", "10.244.0.0/16")
    assert result.exit_code == 0 and not result.stderr
    assert any(printed.endswith(line) for printed in result.stdout.splitlines())
    assert "10.244.0.0/16" in result.stdout
    assert rules("--mode", mode, "--node", "one", "--objects", "-", stdin=file.read_text()).exit_code == 0


def test_a_node_that_is_not_among_the_nodes_is_named(file):
    result = rules("--mode", "iptables", "--node", "two", "--objects", str(file))
    assert result.exit_code == 0 and "has no node 'two' (one)" in result.stderr and "COMMIT" in result.stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"services": [\n,]}', "line 2, column 1 is not JSON"),
        (b'{"Services": []}', "it has an unknown key, 'Services'; rules depend on"),
        (b'{"services": [3]}', "services[0] is the number 3, not an object."),
        (b"\xff\xfe", "is not text in UTF-8 (byte 0)."),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(file, content, sentence):
    file.write_bytes(content)
    result = rules("--mode", "iptables", "--node", "one", "--objects", str(file))
    assert result.exit_code == 1 and not result.stdout
    assert result.stderr.startswith(f"kubelab: {file}") and sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(tmp_path):
    result = rules("--mode", "ipvs", "--node", "one", "--objects", str(tmp_path / "none.json"))
    assert (result.exit_code, result.stderr) == (1, f"kubelab: There is no file {tmp_path}/none.json.\n")
    result = rules("--mode", "ipvs", "--node", "one", "--objects", str(tmp_path))
    assert (result.exit_code, result.stderr) == (1, f"kubelab: {tmp_path} cannot be read: Is a directory.\n")


def test_a_bad_range_and_a_bad_mode_are_refused(file):
    result = rules("--mode", "ipvs", "--node", "one", "--objects", str(file), "--cluster-cidr", "10.244.0.0/99")
    assert result.exit_code == 1 and "'10.244.0.0/99' is not a range of addresses" in result.stderr
    assert rules("--mode", "userspace", "--node", "one", "--objects", str(file)).exit_code == 2


def test_packets_are_counted_by_nfacct_where_the_kernel_has_it(file):
    given = ("--mode", "iptables", "--node", "one", "--objects", str(file))
    counted, uncounted = rules(*given).stdout, rules(*given, "--no-nfacct").stdout
    drop = "-A KUBE-FORWARD -m conntrack --ctstate INVALID"
    assert f"{drop} -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP" in counted
    assert f"{drop} -j DROP" in uncounted and "nfacct" not in uncounted
