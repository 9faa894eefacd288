from __future__ import annotations

from kubelab.engine.controllers.endpoints.mirroring import mirror


def endpoints(make, *subsets: dict) -> dict:
    return {"metadata": make.meta("web"), "subsets": list(subsets)}


def subset(ips, port=80, **more) -> dict:
    return {"addresses": [{"ip": ip} for ip in ips], "ports": [{"port": port, "protocol": "TCP"}], **more}


def test_families_and_ports_have_slices_of_their_own(make):
    made = mirror(endpoints(make, subset(["192.0.2.1", "2001:db8::1"]), subset(["192.0.2.2"], 81)))
    found = [(each["addressType"], each["ports"][0]["port"], len(each["endpoints"])) for each in made.slices]
    assert sorted(found) == [("IPv4", 80, 1), ("IPv4", 81, 1), ("IPv6", 80, 1)]
    assert made.slices[0]["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]


def test_subsets_of_equal_ports_share_a_slice(make):
    made = mirror(endpoints(make, subset(["192.0.2.1"]), subset(["192.0.2.2"])))
    assert [[each["addresses"][0] for each in slice_["endpoints"]] for slice_ in made.slices] == [
        ["192.0.2.1", "192.0.2.2"]
    ]


def test_addresses_beyond_the_thousandth_and_invalid_ones_are_counted(make):
    made = mirror(endpoints(make, subset([f"10.0.{n // 250}.{n % 250}" for n in range(1005)] + ["here"])))
    assert len(made.slices[0]["endpoints"]) == 1000
    assert (made.invalid, made.skipped) == (1, 5)
