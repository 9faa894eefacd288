"""Names in the place of addresses, wherever these stand in a text."""

from __future__ import annotations

import pytest

from kubelab.trace import Names

NAMES = Names(
    {"10.96.0.10": "Service web", "10.244.1.2": "web-1", "172.18.0.3": "worker"},
    {"10.244.1.0/24": "pods of worker"},
    {"KUBE-SEP-ABCDEFGHIJKLMNOP": "10.244.1.2"},
    {"veth12": "10.244.1.2"},
)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-s 10.244.1.0/24 -d 10.96.0.10/32 -j X", "-s (pods of worker) -d (Service web) -j X"),
        ("-i veth12 -j KUBE-SEP-ABCDEFGHIJKLMNOP", "-i link-(web-1) -j KUBE-SEP-(web-1)"),
        ("goto endpoint-GTK6MW7G-a/b/tcp/p__10.244.1.2/80", "goto endpoint-(web-1)"),
        ("jump tcp/10.96.0.10/80", "jump tcp/(Service web)/80"),
        ("goto udp/10.96.0.10/53/10.244.1.2/8", "goto udp/(Service web)/53/(web-1)/8"),
        ("@persistence-60-sctp/172.18.0.3/30080/10.244.1.2/8080", "@persistence-60-sctp/(worker)/30080/(web-1)/8080"),
        ("--probability 0.33333333349 -j Y", "--probability … -j Y"),
    ],
)
def test_a_rule_as_written_has_names_in_parentheses(written, shown):
    assert NAMES.rule(written) == shown
