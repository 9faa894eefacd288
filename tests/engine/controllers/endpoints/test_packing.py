from __future__ import annotations

from kubelab.engine.controllers.endpoints.packing import plan
from kubelab.engine.controllers.endpoints.slices import new_slice, port_key

PORTS = [{"name": "http", "port": 8080, "protocol": "TCP"}]


def endpoint(number: int, *, ready: bool = True) -> dict:
    return {
        "addresses": [f"10.244.{number // 200}.{number % 200 + 2}"],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", "name": f"p{number}", "namespace": "default", "uid": f"uid-{number}"},
    }


def stored(service, name: str, endpoints, ports=PORTS) -> dict:
    made = new_slice(service, "IPv4", ports, list(endpoints))
    made["metadata"] |= {"name": name, "resourceVersion": "1"}
    return made


def group(endpoints, ports=PORTS) -> dict:
    return {port_key(ports): (ports, list(endpoints))}


def sizes(slices) -> list[int]:
    return [len(each["endpoints"]) for each in slices]


def test_a_hundred_fit_in_a_slice(make):
    writes = plan(make.service(), "IPv4", group(map(endpoint, range(250))), [])
    assert sizes(writes.create) == [100, 100, 50]
    assert (writes.update, writes.delete) == ([], [])


def test_nothing_is_written_when_nothing_has_changed(make):
    service = make.service()
    known = stored(service, "web-a", map(endpoint, range(3)))
    writes = plan(service, "IPv4", group(endpoint(number) for number in (2, 0, 1)), [known])
    assert (writes.create, writes.update, writes.delete) == ([], [], [])


def test_a_changed_condition_rewrites_only_its_own_slice(make):
    service = make.service()
    slices = [stored(service, "web-a", map(endpoint, range(3))), stored(service, "web-b", map(endpoint, range(3, 6)))]
    wish = [endpoint(number, ready=number != 4) for number in range(6)]
    writes = plan(service, "IPv4", group(wish), slices)
    assert [each["metadata"]["name"] for each in writes.update] == ["web-b"]
    assert (writes.create, writes.delete) == ([], [])


def test_new_endpoints_fill_a_slice_that_is_written_anyway(make):
    service = make.service()
    slices = [stored(service, "web-a", map(endpoint, range(3))), stored(service, "web-b", map(endpoint, range(3, 5)))]
    wish = [endpoint(number) for number in (0, 1, 2, 3, 9)]
    writes = plan(service, "IPv4", group(wish), slices)
    assert [each["metadata"]["name"] for each in writes.update] == ["web-b"]
    assert sizes(writes.update) == [2]
    assert writes.create == []


def test_what_is_left_over_goes_to_the_fullest_slice_that_has_room(make):
    service = make.service()
    slices = [
        stored(service, "web-a", map(endpoint, range(10))),
        stored(service, "web-b", map(endpoint, range(10, 90))),
        stored(service, "web-c", map(endpoint, range(90, 190))),
    ]
    writes = plan(service, "IPv4", group(map(endpoint, range(195))), slices)
    assert [each["metadata"]["name"] for each in writes.update] == ["web-b"]
    assert sizes(writes.update) == [85]
    assert writes.create == []


def test_a_service_without_endpoints_keeps_one_empty_slice_under_the_same_name(make):
    service = make.service()
    first = plan(service, "IPv4", {}, [])
    assert sizes(first.create) == [0]
    emptied = plan(service, "IPv4", {}, [stored(service, "web-a", [endpoint(1)])])
    assert [(each["metadata"]["name"], each["ports"], each["endpoints"]) for each in emptied.update] == [
        ("web-a", [], [])
    ]
    again = plan(service, "IPv4", {}, [stored(service, "web-a", [], ports=[])])
    assert (again.create, again.update, again.delete) == ([], [], [])


def test_a_slice_keeps_its_name_when_the_ports_change(make):
    service = make.service()
    other = [{"name": "http", "port": 9090, "protocol": "TCP"}]
    writes = plan(service, "IPv4", group([endpoint(1)], other), [stored(service, "web-a", [endpoint(1)])])
    assert [(each["metadata"]["name"], each["ports"]) for each in writes.update] == [("web-a", other)]
    assert (writes.create, writes.delete) == ([], [])


def test_a_slice_of_an_earlier_service_of_the_name_is_replaced(make):
    earlier = make.service()
    earlier["metadata"]["uid"] = "uid-earlier"
    writes = plan(make.service(), "IPv4", group([endpoint(1)]), [stored(earlier, "web-a", [endpoint(1)])])
    assert sizes(writes.create) == [1]
    assert [each["metadata"]["name"] for each in writes.delete] == ["web-a"]


def test_a_new_label_of_the_service_is_carried_over(make):
    known = stored(make.service(), "web-a", [endpoint(1)])
    writes = plan(make.service(labels={"team": "shop"}), "IPv4", group([endpoint(1)]), [known])
    assert writes.update[0]["metadata"]["labels"]["team"] == "shop"
