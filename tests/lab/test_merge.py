from kubelab.lab.merge import merge


def test_a_field_that_was_applied_and_is_gone_goes_away():
    assert merge({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}) == {"a": 1}


def test_a_field_that_somebody_else_set_stays():
    assert merge({"a": 1}, {"a": 1, "clusterIP": "10.96.0.7"}, {"a": 2}) == {"a": 2, "clusterIP": "10.96.0.7"}


def test_null_takes_a_field_away():
    assert merge({}, {"a": 1, "b": 1}, {"a": None}) == {"b": 1}


def test_ports_are_merged_by_number_and_protocol_so_an_allocated_node_port_stays():
    live = {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]}
    last = {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}
    assert merge(last, live, {"ports": [{"port": 80, "name": "http"}]}) == {
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080, "name": "http"}]
    }


def test_containers_are_merged_by_name_and_an_injected_one_stays():
    live = {"containers": [{"name": "web", "image": "a", "tty": True}, {"name": "sidecar", "image": "s"}]}
    last = {"containers": [{"name": "web", "image": "a", "tty": True}]}
    new = {"containers": [{"name": "web", "image": "b"}]}
    assert merge(last, live, new) == {"containers": [{"name": "web", "image": "b"}, {"name": "sidecar", "image": "s"}]}


def test_a_list_without_identities_is_replaced_whole():
    assert merge({"args": ["a"]}, {"args": ["a", "x"]}, {"args": ["b"]}) == {"args": ["b"]}
