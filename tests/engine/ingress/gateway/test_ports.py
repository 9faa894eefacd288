from kubelab.engine.ingress.gateway.ports import FIRST, LAST, Ports
from kubelab.routing.model import ObjectName

EDGE, OTHER = ObjectName("Gateway", "default", "edge"), ObjectName("Gateway", "default", "other")


def test_two_gateways_may_listen_on_the_same_port():
    given = Ports().give([(EDGE, 80), (OTHER, 80)], {})
    assert given == {(EDGE, 80): FIRST, (OTHER, 80): FIRST + 1}


def test_a_port_stays_while_its_gateway_lives_and_is_free_afterwards():
    ports = Ports()
    ports.give([(EDGE, 80), (OTHER, 80)], {})
    assert ports.give([(OTHER, 80)], {}) == {(OTHER, 80): FIRST + 1}
    assert ports.give([(EDGE, 443), (OTHER, 80)], {}) == {(EDGE, 443): FIRST, (OTHER, 80): FIRST + 1}


def test_what_is_written_in_a_service_counts():
    written = {(EDGE, 80): 10007, (OTHER, 443): FIRST}
    ports = Ports()
    ports.give([(EDGE, 80)], {})
    assert ports.give([(EDGE, 80), (OTHER, 80)], written) == {(EDGE, 80): 10007, (OTHER, 80): FIRST + 1}


def test_a_port_of_ones_own_that_another_was_faster_with_is_given_up():
    ports = Ports()
    ports.give([(EDGE, 80)], {})
    assert ports.give([(EDGE, 80), (OTHER, 80)], {(OTHER, 80): FIRST}) == {(OTHER, 80): FIRST, (EDGE, 80): FIRST + 1}


def test_without_a_free_port_a_gateway_gets_none():
    wanted = [(EDGE, number) for number in range(LAST - FIRST + 2)]
    assert len(Ports().give(wanted, {})) == LAST - FIRST + 1
