"""EndpointSlices as a lesson reads them."""

import pytest

from kubelab.lab.endpoints import CONTROLLER, MANAGED_BY, endpoints
from kubelab.lab.errors import ApiError
from kubelab.lab.testing import fake_lab


class Slices:
    """A lab whose API has these slices and pods, by their addresses."""

    def __init__(self, *slices, pods=()):
        self.lab = fake_lab()
        self.lab.objects.find = lambda kind, selector="": (
            list(slices) if kind.kind == "EndpointSlice" else [pod(*each) for each in pods]
        )

    @property
    def view(self):
        return endpoints(self.lab, "web")


def pod(name, ip):
    return {"metadata": {"name": name, "uid": name}, "spec": {"containers": []}, "status": {"podIP": ip}}


def piece(*addresses, ports=(8080,), by=CONTROLLER, **conditions):
    return {
        "metadata": {"name": "web-x", "labels": {MANAGED_BY: by}},
        "ports": [{"name": "", "port": port, "protocol": "TCP"} for port in ports] or None,
        "endpoints": [{"addresses": [address], "conditions": conditions} for address in addresses] or None,
    }


def test_pods_go_by_their_aliases():
    seen = Slices(piece("10.244.1.2", ready=True), pods=[("web-1", "10.244.1.2")]).view
    assert repr(seen) == "Endpoints(web: port 8080 → web-1 ready)"
    assert "10.244" not in seen._repr_html_()


def test_conditions_that_are_missing_are_what_the_api_says_they_mean():
    (endpoint,) = Slices(piece("a")).view.ready
    assert endpoint == ("a", "a", True, True, False, "")


def test_an_address_without_a_port_gets_no_connections():
    seen = Slices(piece("a", ports=())).view
    assert (seen.ready, len(seen.all), seen.sentence) == ((), 1, "port <unset> → a ready")


def test_a_slice_without_addresses_and_a_service_without_slices_are_told_apart(lab_with_web):
    assert Slices(piece(ports=())).view.sentence == "port <unset> → no addresses"
    lab_with_web.objects.find = lambda kind, selector="": []
    assert endpoints(lab_with_web, "web").sentence == "no EndpointSlice"
    with pytest.raises(ApiError, match="not found"):
        endpoints(lab_with_web, "wbe")


def test_slices_of_several_ports_are_listed_by_port_those_without_last():
    seen = Slices(piece("c", ports=()), piece("b", ports=(8090,)), piece("a")).view
    assert seen.sentence == "port 8080 → a ready; port 8090 → b ready; port <unset> → c ready"
    assert [str(port) for port in seen.ports] == ["8080", "8090"]


def test_a_pod_on_its_way_out_says_whether_it_still_serves():
    seen = Slices(piece("a", ready=False, serving=True, terminating=True)).view
    assert seen.sentence == "port 8080 → a terminating, still serving"
    assert seen.ready == ()


def test_a_slice_that_somebody_wrote_by_hand_says_so():
    assert Slices(piece("a", by="me")).view.sentence == "port 8080 → a ready (written by hand)"
