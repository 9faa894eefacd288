"""Scripts for nft: all of one or nothing of it, and errors that point at what is wrong."""

from __future__ import annotations

import json

import pytest

from kubelab.rules.nft.errors import NftError
from kubelab.rules.nft.listing import as_json, whole, words
from kubelab.rules.nft.ruleset import NftRuleset

TABLE = """\
add table ip t
add chain ip t one
add chain ip t two
add set ip t known { type ipv4_addr ; }
add map ip t where { type ipv4_addr . inet_proto . inet_service : verdict ; }
add element ip t where { 10.0.0.1 . tcp . 80 : goto two }
add rule ip t one ip daddr @known accept
"""


@pytest.fixture
def rules():
    made = NftRuleset()
    made.run(TABLE)
    return made


def listing(rules: NftRuleset) -> str:
    return "".join(words(whole(table), handles=True) for table in rules.tables.values())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("add rule ip t one jump nowhere", "1:24-30: Error: Could not process rule: No such file or directory"),
        ("add rule ip t gone accept", "1:15-18: Error: Could not process rule: No such file or directory"),
        ("add rule ip t one ip daddr @missing accept", "1:28-35: Error: No such file or directory"),
        ("delete chain ip t two", "1:19-21: Error: Could not process rule: Device or resource busy"),
        ("delete set ip t known", "1:17-21: Error: Could not process rule: Device or resource busy"),
        ("delete table ip u", "1:17-17: Error: Could not process rule: No such file or directory"),
        ("create chain ip t one", "1:19-21: Error: Could not process rule: File exists"),
        ("delete element ip t known { 10.9.9.9 }", "Error: Could not process rule: No such file or directory"),
        ("add element ip t where { 10.0.0.1 . tcp . 80 : drop }", "Error: Could not process rule: File exists"),
        ("add rule ip t two jump one\nadd rule ip t one jump two", "Error: Could not process rule: Too many links"),
        ("add rule ip t one tcp flags syn accept", "syntax error, or not part of kubelab's evaluated nftables: 'tcp"),
        ("frobnicate", "1:11-11: Error: syntax error, unexpected newline"),
        ("add chain ip t three { type filter hook nowhere }", "is no hook of a chain"),
        ("list ruleset", "is not part of kubelab's evaluated nftables"),
    ],
)
def test_a_script_with_a_bad_line_changes_nothing_and_points_at_it(rules, line, said):
    before = listing(rules)
    with pytest.raises(NftError) as refused:
        rules.run(f"{line}\nadd table ip never\n")
    assert said in str(refused.value)
    assert line.splitlines()[-1] in str(refused.value)
    assert listing(rules) == before


def test_checking_tells_of_errors_and_changes_nothing(rules):
    before = listing(rules)
    rules.run("delete table ip t", check=True)
    assert listing(rules) == before
    with pytest.raises(NftError):
        rules.run("delete table ip u", check=True)


def test_what_is_listed_can_be_read_again(rules):
    rules.run('add chain ip t base { type nat hook output priority -100 ; comment "a b" ; }\n'
              "add rule ip t base ip daddr { 10.0.0.0/16, 10.1.0.0/16 } counter masquerade fully-random")  # fmt: skip
    (table,) = rules.tables.values()
    again = NftRuleset()
    again.run(words(whole(table)))
    (copy,) = again.tables.values()
    assert words(whole(copy)).replace("10.0.0.0/15", "{ 10.0.0.0/15 }") == words(whole(table))
    assert {next(iter(each)) for each in json.loads(as_json([whole(table)]))["nftables"]} == {
        "metainfo", "table", "set", "map", "chain", "rule",
    }  # fmt: skip


def test_rules_are_inserted_replaced_and_deleted_by_their_handles(rules):
    rules.run("insert rule ip t two drop\nadd rule ip t two accept\ninsert rule ip t two continue")
    (table,) = rules.tables.values()
    handles = [rule.handle for rule in table.chains["two"].rules]
    rules.run(f"replace rule ip t two handle {handles[1]} return\ndelete rule ip t two handle {handles[0]}")
    assert "\t\treturn\n\t\taccept\n" in words(whole(rules.tables["ip", "t"]))


def test_a_changed_chain_is_a_new_one_so_that_packets_under_way_keep_theirs(rules):
    chain = rules.tables["ip", "t"].chains["one"]
    rules.run("flush chain ip t one")
    assert len(chain.rules) == 1 and not rules.tables["ip", "t"].chains["one"].rules
