"""Which Secret is served for which name."""

from __future__ import annotations

import pytest


def served(table):
    (entrance,) = (each for each in table.entrances if each.tls)
    return {str(each.secret): list(each.names) for each in entrance.listeners[0].certificates}


def problems(table):
    return [(each.reason, str(each.origin)) for each in table.problems]


def tls(secret, *hosts):
    return {"secretName": secret, **({"hosts": list(hosts)} if hosts else {})}


def test_a_secret_is_served_for_the_hosts_of_its_block(make):
    made = make.table(
        make.ingress(tls=[tls("a", "a.test", "*.a.test"), tls("b", "b.test")]),
        secrets=[make.secret("a"), make.secret("b")],
    )
    assert served(made) == {"Secret shop/a": ["*.a.test", "a.test"], "Secret shop/b": ["b.test"]}
    assert not made.problems


def test_a_block_without_hosts_is_for_those_of_the_rules(make):
    made = make.table(
        make.ingress(rules=[("a.test", []), (None, [("Prefix", "/", "web")])], tls=[tls("a")]),
        secrets=[make.secret("a")],
    )
    assert served(made) == {"Secret shop/a": ["a.test"]}


def test_without_any_host_there_is_no_name_to_serve_it_for(make):
    made = make.table(make.ingress(default="web", tls=[tls("a")]), secrets=[make.secret("a")])
    assert served(made) == {}
    assert problems(made) == [("NoTLSHost", "Ingress shop/web spec.tls[0].hosts")]


def test_a_block_without_secret_asks_for_nothing(make):
    made = make.table(make.ingress(tls=[{"hosts": ["a.test"]}]))
    assert served(made) == {} and not made.problems


@pytest.mark.parametrize(
    ("secret", "reason", "word"),
    [
        ({"namespace": "elsewhere"}, "SecretNotFound", "no Secret a in namespace shop"),
        ({"kind": "Opaque"}, "SecretInvalid", "type Opaque, not kubernetes.io/tls"),
        ({"keys": ["tls.crt"]}, "SecretInvalid", "no tls.key"),
    ],
)
def test_a_secret_that_is_none_is_told_and_leaves_the_name_to_others(make, secret, reason, word):
    made = make.table(
        make.ingress("old", tls=[tls("a", "a.test")]),
        make.ingress("young", tls=[tls("b", "a.test")], second=1),
        secrets=[make.secret("a", **secret), make.secret("b")],
    )
    assert served(made) == {"Secret shop/b": ["a.test"]}
    assert problems(made) == [(reason, "Ingress shop/old spec.tls[0].secretName")]
    assert word in made.problems[0].message


def test_of_two_secrets_for_one_name_that_of_the_older_ingress_is_served(make):
    made = make.table(
        make.ingress("young", tls=[tls("b", "a.test", "b.test")], second=1),
        make.ingress("old", tls=[tls("a", "a.test")]),
        secrets=[make.secret("a"), make.secret("b")],
    )
    assert served(made) == {"Secret shop/a": ["a.test"], "Secret shop/b": ["b.test"]}
    assert problems(made) == [("CertificateConflict", "Ingress shop/young spec.tls[0]")]


def test_the_same_secret_twice_is_no_conflict(make):
    made = make.table(
        make.ingress("a", tls=[tls("a", "a.test")]),
        make.ingress("b", tls=[tls("a", "a.test")]),
        secrets=[make.secret("a")],
    )
    assert served(made) == {"Secret shop/a": ["a.test"]} and not made.problems
