import pytest

from kubelab.engine.ingress.gateway.statuses import FEATURES, Place, class_status, gateway_status, route_status
from kubelab.routing.gateway import CONTROLLER
from kubelab.routing.gateway.conditions import Condition, GatewayStatus, ListenerStatus, ParentStatus, RouteStatus
from kubelab.routing.model import ObjectName

NOON, LATER = "2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z"
ACCEPTED = Condition("Accepted", True, "Accepted")
SERVED = ListenerStatus("http", 1, ("HTTPRoute",), (Condition("Programmed", True, "Programmed"),))
BROKEN = ListenerStatus("https", 0, ("HTTPRoute",), (Condition("Programmed", False, "Invalid"),))
PLACE = Place("Service kubelab-ingress/gateway-default-edge", (("IPAddress", "172.18.255.2"),), open=True)


def gateway(generation=1, **spec):
    return {"metadata": {"generation": generation}, "spec": {"listeners": [], **spec}}


def status(obj, *listeners, place=PLACE, accepted=ACCEPTED, now=NOON):
    wanted = GatewayStatus(ObjectName("Gateway", "default", "edge"), accepted, listeners or (SERVED,))
    return gateway_status(obj, wanted, place, now)


def reasons(made):
    return {each["type"]: each["reason"] for each in made["conditions"]}


class TestGateways:
    def test_one_that_is_served_is_programmed_and_has_an_address(self):
        made = status(gateway())
        assert reasons(made) == {"Accepted": "Accepted", "Programmed": "Programmed"}
        assert made["addresses"] == [{"type": "IPAddress", "value": "172.18.255.2"}]
        [listener] = made["listeners"]
        assert listener["attachedRoutes"] == 1
        assert listener["supportedKinds"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]

    @pytest.mark.parametrize(
        ("place", "reason"),
        [
            (Place(), "AddressNotAssigned"),
            (Place("Service a/b", (), True), "AddressNotAssigned"),
            (Place("Service a/b", PLACE.addresses, False), "Pending"),
        ],
    )
    def test_until_then_it_says_what_is_missing(self, place, reason):
        made = status(gateway(), place=place)
        assert reasons(made)["Programmed"] == reason
        assert {each["status"] for each in made["conditions"] if each["type"] == "Programmed"} == {"False"}

    def test_one_of_whose_listeners_none_can_be_served_is_not_programmed(self):
        assert reasons(status(gateway(), BROKEN))["Programmed"] == "Invalid"
        assert reasons(status(gateway(), BROKEN, SERVED))["Programmed"] == "Programmed"

    def test_an_address_that_it_does_not_get_is_not_usable(self):
        asked = gateway(addresses=[{"type": "IPAddress", "value": "203.0.113.1"}])
        assert reasons(status(asked))["Programmed"] == "AddressNotUsable"

    @pytest.mark.parametrize("addresses", [[{"type": "Hostname", "value": "a.test"}], [{}, {}]])
    def test_addresses_of_other_kinds_or_several_are_refused(self, addresses):
        made = reasons(status(gateway(addresses=addresses)))
        assert made == {"Accepted": "UnsupportedAddress", "Programmed": "Invalid"}

    def test_the_time_is_that_of_the_last_change_and_the_generation_is_the_newest(self):
        first = gateway()
        first["status"] = status(first, place=Place())
        assert status(first, place=Place(), now=LATER) == first["status"], "a status that is right is not written again"
        second = {**first, "metadata": {"generation": 2}}
        accepted, programmed = status(second, now=LATER)["conditions"]
        assert (accepted["lastTransitionTime"], accepted["observedGeneration"]) == (NOON, 2)
        assert (programmed["lastTransitionTime"], programmed["status"]) == (LATER, "True")


class TestRoutes:
    REF = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}  # noqa: RUF012
    THEIRS = {"parentRef": REF, "controllerName": "example.test/other", "conditions": []}  # noqa: RUF012

    def status(self, there, ours=True, now=NOON):
        wanted = RouteStatus(ObjectName("HTTPRoute", "default", "shop"), (ParentStatus(self.REF, (ACCEPTED,)),))
        obj = {"metadata": {"generation": 3}, "status": {"parents": there}}
        return route_status(obj, wanted if ours else None, now)["parents"]

    def test_what_other_controllers_say_stays(self):
        theirs, ours = self.status([self.THEIRS])
        assert theirs == self.THEIRS
        assert (ours["controllerName"], ours["conditions"][0]["observedGeneration"]) == (CONTROLLER, 3)

    def test_a_parent_that_is_none_any_more_goes(self):
        there = self.status([self.THEIRS])
        assert self.status(there, ours=False) == [self.THEIRS]

    def test_a_status_that_is_right_is_not_written_again(self):
        there = self.status([self.THEIRS])
        assert self.status(there, now=LATER) == there

    def test_a_route_of_others_is_left_alone(self):
        assert route_status({"metadata": {}}, None, NOON) == {}


class TestClasses:
    def reasons(self, *versions, **spec):
        made = class_status({"metadata": {"generation": 1}, "spec": spec}, versions, NOON)
        return reasons(made)

    def test_the_releases_that_are_known_are_supported(self):
        assert self.reasons("v1.6.1") == {"Accepted": "Accepted", "SupportedVersion": "SupportedVersion"}

    @pytest.mark.parametrize("versions", [("v1.6.1", "v1.2.0"), ("",), ("v2.0.0",)])
    def test_others_are_served_as_far_as_they_go_and_named(self, versions):
        assert self.reasons(*versions) == {"Accepted": "Accepted", "SupportedVersion": "UnsupportedVersion"}

    def test_parameters_are_refused(self):
        assert self.reasons("v1.6.1", parametersRef={"name": "x"})["Accepted"] == "InvalidParameters"

    def test_features_are_listed_in_order(self):
        assert list(FEATURES) == sorted(FEATURES)
