"""`Ruleset.restore`: what iptables-restore does with good text and with bad."""

from __future__ import annotations

import pytest

from kubelab.rules import Packet, RestoreError, Ruleset, parse, walk


def restored(*texts: str, **options) -> Ruleset:
    ruleset = Ruleset()
    for text in texts:
        ruleset.restore(text, **options)
    return ruleset


def table(*lines: str, name: str = "nat") -> str:
    return "\n".join([f"*{name}", *lines, "COMMIT", ""])


def rules_of(ruleset: Ruleset, chain: str, name: str = "nat") -> list[str]:
    return [line for line in ruleset.save(name).splitlines() if line.startswith(f"-A {chain}")]


def test_naming_a_chain_empties_it_and_leaves_the_others():
    ruleset = restored(
        table(":A - [0:0]", ":B - [0:0]", "-A A -j RETURN", "-A B -j RETURN"),
        table(":A - [0:0]", "-A A -j ACCEPT"),
    )
    assert rules_of(ruleset, "A") == ["-A A -j ACCEPT"]
    assert rules_of(ruleset, "B") == ["-A B -j RETURN"]


def test_without_noflush_a_named_table_starts_empty_and_others_stay():
    ruleset = restored(table(":A - [0:0]"), table(":F - [0:0]", name="filter"))
    ruleset.restore(table(":B - [0:0]"), noflush=False)
    assert ruleset.chain("nat", "A") is None and ruleset.chain("nat", "B") is not None
    assert ruleset.chain("filter", "F") is not None


def test_a_bad_line_changes_nothing_in_its_table_and_leaves_committed_tables_changed():
    ruleset = restored(table(":A - [0:0]", "-A A -j RETURN"))
    before = ruleset.save("nat")
    with pytest.raises(RestoreError) as caught:
        ruleset.restore(table(":F - [0:0]", name="filter") + table(":A - [0:0]", "-A A -s 999.1.1.1", "-A A -j DROP"))
    assert ruleset.save("nat") == before
    assert ruleset.chain("filter", "F") is not None
    assert (caught.value.line, caught.value.code) == (6, 2)


@pytest.mark.parametrize(
    ("lines", "line", "code", "message"),
    [
        ([":A - [0:0]", "-A A -m foo --bar -j ACCEPT"], 3, 2, "Couldn't load match `foo':No such file or directory"),
        ([":A - [0:0]", "-A A -j NOSUCH"], 3, 2, "Chain 'NOSUCH' does not exist"),
        (["-A B -j ACCEPT"], 2, 1, "line 2 failed: No chain/target/match by that name."),
        (["-X B"], 2, 1, "line 2 failed: No chain/target/match by that name."),
        (["-N A", "-N A"], 3, 1, "line 3 failed: Chain already exists."),
        ([":A - [0:0]", "-A A --dport 80 -j ACCEPT"], 3, 2, 'unknown option "--dport"'),
        ([":A - [0:0]", "-A A -s 999.1.1.1"], 3, 2, "host/network `999.1.1.1' not found"),
        (["hello"], 2, 2, "Bad argument `hello'"),
        ([":A - [0:0]", "-D A -j ACCEPT"], 3, 1, "Bad rule (does a matching rule exist in that chain?)."),
        ([":A - [0:0]", "-D A 3"], 3, 1, "Index of deletion too big."),
        ([":A - [0:0]", "-I A 5 -j ACCEPT"], 3, 1, "Index of insertion too big."),
        ([":A - [0:0]", "-A A -m tcp --dport 80"], 3, 2, "TCP match requires '-p tcp'"),
        ([":A - [0:0]", "-A A -j DNAT"], 3, 2, 'DNAT: option "--to-destination" must be specified'),
        (["-P OUTPUT FOO"], 2, 1, "Bad policy name."),
        (["-P OUT DROP"], 2, 1, "Bad built-in chain name."),
        (["-A OUTPUT -j REJECT"], 2, 4, "RULE_APPEND failed (Invalid argument): rule in chain OUTPUT"),
        ([":A - [0:0]", "-A OUTPUT -j A", "-F A", "-X A"], 5, 4, "CHAIN_DEL failed (Device or resource busy): chain A"),
        ([f":{'A' * 29} - [0:0]"], 2, 2, "too long (must be under 29 chars)"),
    ],
)
def test_a_refusal_has_the_line_the_code_and_the_words_of_the_program(lines, line, code, message):
    with pytest.raises(RestoreError) as caught:
        restored(table(*lines))
    assert (caught.value.line, caught.value.code) == (line, code)
    assert message in str(caught.value)


def test_a_text_without_commit_is_refused_and_changes_nothing():
    ruleset = Ruleset()
    with pytest.raises(RestoreError, match="COMMIT expected at line 3"):
        ruleset.restore("*nat\n:A - [0:0]\n")
    assert ruleset.save() == ""


def test_a_loop_that_packets_can_reach_is_refused():
    with pytest.raises(RestoreError, match="Too many links"):
        restored(table(":A - [0:0]", ":B - [0:0]", "-A A -j B", "-A B -j A", "-A OUTPUT -j A"))


def test_insert_delete_replace_and_flush_work_on_positions_and_on_rules():
    ruleset = restored(
        table(":A - [0:0]", "-A A -s 1.1.1.1 -j RETURN", "-A A -s 2.2.2.2 -j RETURN", "-I A -j ACCEPT"),
        table("-I A 2 -s 9.9.9.9 -j RETURN", "-D A -s 1.1.1.1/32 -j RETURN", "-R A 1 -j DROP"),
    )
    assert rules_of(ruleset, "A") == ["-A A -j DROP", "-A A -s 9.9.9.9/32 -j RETURN", "-A A -s 2.2.2.2/32 -j RETURN"]
    ruleset.restore(table("-F A"))
    assert rules_of(ruleset, "A") == []


def test_a_chain_of_the_same_name_in_two_tables_is_two_chains():
    ruleset = restored(table(":K - [0:0]", "-A K -j RETURN"), table(":K - [0:0]", name="filter"))
    assert rules_of(ruleset, "K") == ["-A K -j RETURN"] and rules_of(ruleset, "K", "filter") == []


def test_listing_a_table_prints_policies_new_chains_and_rules():
    ruleset = restored(table(":A - [0:0]", "-A OUTPUT -j A", "-A A -j RETURN", "-P INPUT DROP", name="filter"))
    assert ruleset.commands("filter").splitlines() == [
        "-P INPUT DROP", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT", "-N A", "-A OUTPUT -j A", "-A A -j RETURN",
    ]  # fmt: skip
    assert ruleset.commands("filter", "A") == "-N A\n-A A -j RETURN\n"


def test_saved_text_with_counters_is_read_back_with_them():
    chains = ":INPUT ACCEPT [3:180]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    text = f"*filter\n{chains}[2:120] -A INPUT -j DROP\nCOMMIT\n"
    assert parse(text).save(counters=True) == text


def test_walking_counts_the_rules_it_matches():
    ruleset = restored(table("-A INPUT -p tcp -j DROP", name="filter"))
    packet = Packet("tcp", "1.1.1.1", 1, "2.2.2.2", 80, "eth0")
    walk(ruleset, packet, origin="forwarded", is_local=lambda ip: ip == "2.2.2.2", count=True)
    assert "[1:60] -A INPUT -p tcp -j DROP" in ruleset.save(counters=True)
    ruleset.restore(table("-Z INPUT", name="filter"))
    assert "[0:0] -A INPUT -p tcp -j DROP" in ruleset.save(counters=True)


def test_an_unknown_match_in_saved_text_is_kept_as_it_is():
    text = table(":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]",
                 '-A OUTPUT -m owner ! --uid-owner 0 -m comment --comment "a b" -j FANCY --with "x y"')  # fmt: skip
    assert parse(text).save() == text
