"""Texts of the tools, in words and as JSON."""

from __future__ import annotations

from kubelab.trace import picture, trace
from kubelab.trace.routes import best, read_addresses, read_routes

SEEN = "src=10.244.2.3 ttl: 63 last_seen: 4295300181 oldest_pkt: 1 4295300181\n"


def test_routes_in_words_and_as_json_are_the_same(listing):
    assert read_routes(listing("worker.routes")) == read_routes(listing("worker.routes.json"))


def test_addresses_in_words_and_as_json_are_the_same(listing):
    assert read_addresses(listing("worker.addresses")) == read_addresses(listing("worker.addresses.json"))


def test_the_longest_prefix_wins_then_the_lowest_metric():
    routes = read_routes(
        "default via 10.0.0.1 dev eth0 metric 100\n"
        "default via 10.0.0.2 dev eth1 metric 50\n"
        "10.244.0.0/16 dev cni0\n"
        "blackhole 10.244.7.0/24\n"
        "local 10.0.0.9 dev eth0 table local\n"
    )
    assert [str(best(routes, address)) for address in ("8.8.8.8", "10.244.1.1", "10.244.7.1")] == [
        "default via 10.0.0.2 dev eth1",
        "10.244.0.0/16 dev cni0",
        "blackhole 10.244.7.0/24",
    ]


def test_local_routes_tell_a_nodes_addresses_too():
    place = picture({"node": {"routes": "local 10.0.0.9 dev eth0 table local scope host src 10.0.0.9"}}, {}).places[
        "node"
    ]
    assert place.is_local("10.0.0.9") and place.is_local("127.0.0.5") and not place.is_local("10.0.0.8")


def test_the_lists_of_remembered_clients_are_read(cluster):
    names = ("KUBE-SEP-IDK6575GPYIV7HVW", "KUBE-SEP-PACBQZO2RNIGGLHE", "KUBE-SEP-Q3I545PMYTVD6UDD")
    texts = {name: place.texts for name, place in cluster.places.items()}
    pods = {name: (pod.address, pod.node) for name, pod in cluster.pods.items()}
    lists = dict.fromkeys(names, "") | {names[0]: SEEN}
    found = trace(picture(texts, pods, recent={"kubelab-worker2": lists}), "client", "10.96.0.22", 80)
    assert found.only().place == "default/web-b"
    assert found.notes == (
        f"The list {names[0]} knows the client, but the texts do not tell since when: taken as within 10800 s.",
    )
