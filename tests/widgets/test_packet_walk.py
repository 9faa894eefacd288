import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from kubelab.lab.errors import LabError
from kubelab.trace import Followed
from kubelab.widgets import PacketWalk
from kubelab.widgets.walk.words import fraction

ADDRESS = re.compile(r"\b10\.(244|96)\.\d|KUBE-SEP-[A-Z2-7]{16}|veth[0-9a-f]{8}")


@pytest.fixture
def walk(traced):
    walk = PacketWalk(traced("client", "10.96.0.20", 80))
    yield walk
    walk.close()


def bundle(walk):
    return walk._repr_mimebundle_()[0]


def words(walk, outcome=0, way="request"):
    return [step["words"] for step in walk.walk["outcomes"][outcome][way]["steps"]]


def test_its_text_names_every_outcome_and_what_changes_the_packet(walk):
    said = repr(walk)
    assert said.splitlines()[:4] == [
        "PacketWalk: tcp from client to Service web:80",
        "  1/3  delivered to web-1",
        "  1/3  delivered to web-2",
        "  1/3  delivered to web-3",
    ]
    assert "Chance picks web-1: 1/3 of all new connections go there." in said
    assert "client → web-1:8080" in said
    assert said.splitlines()[-1].startswith("End: Pod web-1 on kubelab-worker receives it at web-1:8080")


def test_what_a_notebook_keeps_is_the_same_every_time_and_holds_no_address(traced):
    first, second = (bundle(PacketWalk(traced("client", "10.96.0.20", 80))) for _ in range(2))
    for form in ("text/plain", "text/html", "image/svg+xml"):
        assert first[form] == second[form]
        assert not ADDRESS.search(first[form])
    assert "application/vnd.jupyter.widget-view+json" in first


def test_the_picture_is_well_formed_and_says_what_it_shows(walk):
    picture = ElementTree.fromstring(walk.svg)
    space = "{http://www.w3.org/2000/svg}"
    assert picture.get("role") == "img"
    assert picture.find(f"{space}title").text == "Packet walk: tcp from client to Service web:80"
    shown = [each.text for each in picture.iter(f"{space}text") if each.text]
    for place in ("client", "kubelab-worker2", "PREROUTING", "KUBE-SVC-LOLE4ISW44XBNF3G", "KUBE-SEP-(web-1)", "web-1"):
        assert place in shown


def test_the_stored_html_holds_the_picture_as_an_image_which_jupyterlab_leaves_in(walk):
    html = bundle(walk)["text/html"]
    assert "<svg" not in html
    found = re.search(
        r'<img alt="Map of the way: [^"]+" style=\'max-width: 100%\' src="data:image/svg\+xml,([^"]+)">', html
    )
    assert unquote(found[1]) == walk.svg


def test_every_step_has_a_place_on_the_map_and_the_packet_before_and_after(walk):
    way = walk.walk["outcomes"][0]["request"]
    for step in way["steps"]:
        assert f'data-box="{step["box"]}"' in way["svg"]
    (translation,) = [step for step in way["steps"] if step["change"] == "DNAT"]
    assert translation["before"]["destination"] == "Service web:80"
    assert translation["before"]["destination_address"] == "10.96.0.20:80"
    assert translation["after"]["destination"] == "web-1:8080"
    assert translation["rule"].startswith("-A KUBE-SEP-") and translation["comment"] == "default/web"
    assert translation["written"].startswith("nat KUBE-SEP-PXJ2U7QYT2QW5545, rule")


def test_a_rules_own_probability_is_set_against_the_endpoints_share(walk):
    steps = [each["request"]["steps"] for each in walk.walk["outcomes"]]
    asides = [next((step["aside"] for step in made if step["aside"]), "") for made in steps]
    assert asides[0] == ""
    assert asides[1] == "The rule draws 1/2, but only of what the rules above have left: 1/3 of all."
    assert asides[2].startswith("This last rule draws no number")


def test_the_answer_is_turned_back_where_the_request_was_translated(walk):
    assert any("puts Service web:80 back as the source" in said for said in words(walk, way="reply"))
    walk.reply = True
    assert "web-1 sends the packet by eth0." in repr(walk)


def test_marks_and_masquerade_are_said(traced):
    walk = PacketWalk(traced("outside", "172.18.0.3", 30080, draw=0.9))
    said = " ".join(words(walk))
    assert "is it a NodePort?" in said
    assert "The mark 0x4000 says: masquerade me when I leave the node." in said
    assert "The source becomes kubelab-worker, this node's own address (masquerade)" in said
    (source,) = [step for step in walk.walk["outcomes"][0]["request"]["steps"] if step["change"] == "SNAT"]
    assert (source["before"]["source"], source["after"]["source"]) == ("outside", "kubelab-worker")


def test_what_ends_a_packet_and_why_is_its_last_word(traced):
    walk = PacketWalk(traced("client", "10.96.0.23", 80))
    assert "  1  rejected at kubelab-worker2" in repr(walk)
    assert "has no endpoints" in repr(walk).splitlines()[-1]
    (outcome,) = walk.walk["outcomes"]
    assert outcome["reply"] is None and "rejected" in outcome["no_reply"]
    assert outcome["request"]["steps"][-1]["badge"] == "reject"


def test_nftables_rules_are_walked_too(traced):
    walk = PacketWalk(traced("web-1", "10.96.0.20", 80, mode="nftables"))
    assert any(said.startswith("By a chance of 1/3: The destination becomes") for said in words(walk, 1))
    assert not ADDRESS.search(repr(walk))


def test_of_a_followed_packet_the_hops_that_the_kernel_has_shown_are_ticked_and_others_are_not(traced):
    trace = traced("client", "10.96.0.20", 80, source_port=40123)
    seen = tuple(hop for hop in trace[2].rules if hop.chain != "KUBE-POSTROUTING")
    walk = PacketWalk(Followed("client", trace.sent, "connected", seen, computed=trace))
    assert walk.outcome == 2
    by_chain = {step["where"].split(",")[0]: step["seen"] for step in walk.walk["outcomes"][2]["request"]["steps"]}
    assert by_chain["nat KUBE-SERVICES"] is True
    assert by_chain["nat KUBE-POSTROUTING"] is False
    assert by_chain["routing"] is None
    other = walk.walk["outcomes"][0]["request"]["steps"]
    assert {step["seen"] for step in other} == {None}, "what did not happen, the kernel has not denied"
    assert " ✓. kubelab-worker2: nat KUBE-SERVICES" in repr(walk)
    assert not any("40123" in bundle(walk)[form] for form in ("text/plain", "text/html", "image/svg+xml"))


def test_a_hostile_comment_is_only_text(traced):
    from kubelab.trace import Trace, picture, trace

    rule = '-A PREROUTING -m comment --comment "<img src=x>" -j DNAT --to-destination 1.2.3.4'
    rules = f"*nat\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n"
    seen = picture({"node": {"iptables": rules, "routes": "default via 9.9.9.9 dev eth0"}}, {"a": ("1.1.1.1", "node")})
    found: Trace = trace(seen, "a", "8.8.8.8", 80)
    walk = PacketWalk(found)
    for form in (bundle(walk)["text/html"], walk.walk["outcomes"][0]["request"]["svg"]):
        assert "<img src=x" not in form


def test_wrong_questions_are_said(traced, lab_in_memory):
    trace = traced("client", "10.96.0.20", 80)
    with pytest.raises(LabError, match="Say who sends to whom"):
        PacketWalk(lab_in_memory, "client")
    with pytest.raises(LabError, match="already says who sends"):
        PacketWalk(trace, "client", "web")
    with pytest.raises(LabError, match="not int"):
        PacketWalk(7)
    walk = PacketWalk(trace)
    with pytest.raises(LabError, match="outcomes 0 to 2"):
        walk.outcome = 3


def test_one_outcome_is_a_walk_of_its_own(traced):
    walk = PacketWalk(traced("client", "10.96.0.20", 80)[2])
    assert len(walk.walk["outcomes"]) == 1
    assert repr(walk).splitlines()[0] == "PacketWalk: tcp from client to Service web:80"


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1"), (0.33333333349, "1/3"), (0.5, "1/2"), (0.0123, "1.23%"), (0.01, "1/100")]
)
def test_chances_are_fractions_where_they_are_simple(value, shown):
    assert fraction(value) == shown
