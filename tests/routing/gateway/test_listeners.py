import pytest

from kubelab.routing.gateway.listeners import Verdict


def conditions_of(built, number=0):
    return built.gateways[0].listeners[number].conditions


def test_gateways_of_other_classes_are_left_alone(make):
    built = make.build([make.gateway(cls="other")], gateway_classes=[make.gateway_class("other", "someone.else/x")])
    assert (built.gateways, built.classes, built.table.entrances) == ((), (), ())


def test_gateways_of_a_class_with_parameters_are_refused_with_it(make):
    refused = make.gateway_class(parametersRef={"group": "", "kind": "ConfigMap", "name": "x"})
    built = make.build([make.gateway()], [make.http_route()], gateway_classes=[refused])
    [status] = built.gateways
    assert (status.accepted[:3], status.listeners) == (("Accepted", False, "InvalidParameters"), ())
    assert (built.table.entrances, built.table.served, built.routes) == ((), (), ())


def test_a_listener_that_can_be_served_says_so(make):
    built = make.build([make.gateway()])
    said = {each: make.condition(conditions_of(built), each) for each in ("Accepted", "ResolvedRefs", "Programmed")}
    assert said == {"Accepted": True, "ResolvedRefs": True, "Programmed": True}
    assert make.condition(conditions_of(built), "Conflicted") == "NoConflicts"
    assert built.gateways[0].accepted[:3] == ("Accepted", True, "Accepted")


def test_an_unknown_protocol_is_not_accepted_and_the_others_are_served(make):
    built = make.build([make.gateway(make.listener("mail", 25, "TCP"), make.listener())])
    assert make.condition(conditions_of(built), "Accepted") == "UnsupportedProtocol"
    assert built.gateways[0].accepted[:3] == ("Accepted", True, "ListenersNotValid")
    assert [each.port for each in built.table.entrances] == [80]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}}, "ProtocolConflict"),
        ({"protocol": "HTTP"}, "HostnameConflict"),
    ],
)
def test_of_listeners_that_contradict_each_other_none_is_served(make, second, reason):
    built = make.build([make.gateway(make.listener("a"), make.listener("b", **second))], secrets=[make.secret("cert")])
    for number in (0, 1):
        assert next(each for each in conditions_of(built, number) if each.type == "Conflicted")[1:3] == (True, reason)
        assert make.condition(conditions_of(built, number), "Programmed") == "Invalid"
    assert built.gateways[0].accepted[1:3] == (False, "ListenersNotValid")
    assert built.table.entrances == ()


def test_listeners_for_different_hosts_share_a_port(make):
    listeners = make.listener("a", hostname="a.test"), make.listener("any")
    built = make.build([make.gateway(*listeners)])
    assert [each.hostname for each in built.table.entrances[0].listeners] == ["a.test", ""]


class TestCertificates:
    def https(self, make, ref=None, **more):
        tls = {"certificateRefs": [ref or {"name": "cert"}]}
        return make.build([make.gateway(make.listener("tls", 443, "HTTPS", tls=tls))], **more)

    def test_a_secret_of_the_gateways_namespace_is_served(self, make):
        built = self.https(make, secrets=[make.secret("cert")])
        (listener,) = built.table.entrances[0].listeners
        assert [str(each.secret) for each in listener.certificates] == ["Secret infra/cert"]
        assert make.condition(conditions_of(built), "Programmed") is True

    @pytest.mark.parametrize(
        "secrets",
        [[], [("cert", {"kind": "Opaque"})], [("cert", {"keys": ("tls.crt",)})]],
        ids=["missing", "of another type", "without a key"],
    )
    def test_without_a_certificate_the_listener_is_not_served(self, make, secrets):
        built = self.https(make, secrets=[make.secret(name, **more) for name, more in secrets])
        assert make.condition(conditions_of(built), "ResolvedRefs") == "InvalidCertificateRef"
        assert make.condition(conditions_of(built), "Programmed") == "Invalid"
        assert make.condition(conditions_of(built), "Accepted") is True
        assert built.table.entrances == ()

    def test_who_reads_certificates_may_refuse_one(self, make):
        wrong = Verdict("has a key of another pair")
        built = self.https(make, secrets=[make.secret("cert")], usable=lambda secret: wrong)
        assert built.table.entrances == ()
        resolved = next(each for each in conditions_of(built) if each.type == "ResolvedRefs")
        assert resolved.message == "Secret infra/cert has a key of another pair"

    def test_the_last_good_one_may_stay_in_its_place(self, make):
        kept = Verdict("has a key of another pair", kept=True)
        built = self.https(make, secrets=[make.secret("cert")], usable=lambda secret: kept)
        assert make.condition(conditions_of(built), "ResolvedRefs") == "InvalidCertificateRef"
        assert make.condition(conditions_of(built), "Programmed") is True

    def test_a_secret_of_another_namespace_needs_a_grant(self, make):
        ref, secrets = {"name": "cert", "namespace": "vault"}, [make.secret("cert", "vault")]
        assert (
            make.condition(conditions_of(self.https(make, ref, secrets=secrets)), "ResolvedRefs") == "RefNotPermitted"
        )
        granted = [make.grant("vault", "Gateway", "infra", "Secret", "cert")]
        built = self.https(make, ref, secrets=secrets, reference_grants=granted)
        assert make.condition(conditions_of(built), "ResolvedRefs") is True

    @pytest.mark.parametrize(
        "given",
        [("vault", "HTTPRoute", "infra", "Secret"), ("vault", "Gateway", "shop", "Secret"),
         ("vault", "Gateway", "infra", "Service"), ("infra", "Gateway", "infra", "Secret"),
         ("vault", "Gateway", "infra", "Secret", "another")],
        ids=["another kind", "another namespace", "to another kind", "given elsewhere", "to another name"],
    )  # fmt: skip
    def test_a_grant_for_something_else_is_none(self, make, given):
        ref, secrets = {"name": "cert", "namespace": "vault"}, [make.secret("cert", "vault")]
        built = self.https(make, ref, secrets=secrets, reference_grants=[make.grant(*given)])
        assert make.condition(conditions_of(built), "ResolvedRefs") == "RefNotPermitted"

    def test_passing_tls_through_is_not_for_https_listeners(self, make):
        built = make.build([make.gateway(make.listener("tls", 443, "HTTPS", tls={"mode": "Passthrough"}))])
        assert make.condition(conditions_of(built), "Accepted") == "UnsupportedValue"


class TestKindsOfRoutes:
    def kinds(self, make, *kinds):
        built = make.build([make.gateway(make.listener(allowedRoutes={"kinds": [{"kind": each} for each in kinds]}))])
        return built.gateways[0].listeners[0].supported_kinds, make.condition(conditions_of(built), "ResolvedRefs")

    def test_http_routes_may_attach_when_nothing_is_said(self, make):
        assert self.kinds(make) == (("HTTPRoute",), True)

    def test_kinds_that_are_not_served_are_named_and_left_out(self, make):
        assert self.kinds(make, "HTTPRoute", "TCPRoute") == (("HTTPRoute",), "InvalidRouteKinds")

    def test_none_may_attach_when_none_of_them_is_served(self, make):
        assert self.kinds(make, "TCPRoute") == ((), "InvalidRouteKinds")
