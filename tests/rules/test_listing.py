"""``iptables -L`` of the machine's kernel and ours, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from kubelab.rules import parse
from kubelab.rules.listing import Look, chains
from tests.rules.test_kernel_round_trip import EVERYTHING

LOOKS = {"-n": Look(True), "-nv": Look(True, True), "-nvx --line-numbers": Look(True, True, True, True)}


@pytest.mark.parametrize("words", LOOKS)
def test_every_form_is_shown_as_the_program_shows_it(words):
    if not shutil.which("iptables-restore") or not shutil.which("unshare"):
        pytest.skip("iptables-restore or unshare is not installed")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    script = "iptables-restore --noflush && iptables-save && echo === && "
    script += " && echo === && ".join(f"iptables -t {table} -L {words}" for table in ("nat", "filter"))
    done = subprocess.run([*unshare, "sh", "-c", script], input=EVERYTHING, text=True, capture_output=True, timeout=30)
    if "unshare" in done.stderr or "Could not fetch rule set" in done.stderr:
        pytest.skip(f"no network namespace or no iptables in it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    saved, *shown = done.stdout.split("===\n")
    rules = parse("".join(f"{line}\n" for line in saved.splitlines() if not line.startswith("#")))
    assert [chains(rules.tables[table], LOOKS[words]) for table in ("nat", "filter")] == shown


def test_one_chain_is_shown_alone_and_counts_its_users():
    rules = parse("*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-A PREROUTING -j B\nCOMMIT\n")
    assert chains(rules.tables["nat"], Look(), "B").splitlines()[0] == "Chain B (2 references)"
    with pytest.raises(KeyError):
        chains(rules.tables["nat"], Look(), "C")


def test_large_counters_are_shortened_unless_they_are_to_be_exact():
    rules = parse("*nat\n[99999:123456] -A PREROUTING -j ACCEPT\nCOMMIT\n")
    assert "99999  123K ACCEPT" in chains(rules.tables["nat"], Look(verbose=True))
    assert "99999   123456 ACCEPT" in chains(rules.tables["nat"], Look(verbose=True, exact=True))
