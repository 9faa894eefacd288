"""DNS answers as data: the resolver that runs in a pod, and what the lab makes of its lines."""

import json

import dnslib
import pytest

from kubelab.lab.errors import ApiError, LabError
from kubelab.lab.lookup import Lookup, Record, Tried, _owners, lookup
from kubelab.lab.shell import Finished, client_program

CLUSTER = ["lesson.svc.cluster.local", "svc.cluster.local", "cluster.local"]


@pytest.fixture
def program(capsys):
    """The program's functions; ``ask`` is answered from ``zone``, and whoever is not in it does not exist."""
    text, _ = client_program("lookup_program.py").rsplit("\nrun(job)", 1)
    names = {"__name__": "client"}
    exec(compile(text, "lookup_program", "exec"), names)
    zone = names["zone"] = {}

    def ask(server, query, timeout):
        asked = dnslib.DNSRecord.parse(query)
        found = zone.get(str(asked.q.qname))
        if isinstance(found, OSError):
            raise found
        reply = asked.reply()
        reply.header.rcode = 0 if found is not None else 3
        for line in found or ():
            reply.add_answer(*dnslib.RR.fromZone(line))
        return reply.pack()

    names["ask"] = ask
    names["settings"] = lambda: (["192.0.2.1"], CLUSTER, 5)

    def run(name, type_="A"):
        names["run"]({"name": name, "type": type_, "timeout": 1})
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    run.zone, run.names = zone, names
    return run


def test_a_short_name_is_tried_with_each_search_domain_until_one_has_it(program):
    program.zone["web.svc.cluster.local."] = ["web.svc.cluster.local. 5 A 192.0.2.7"]
    assert [(line["name"], line["code"]) for line in program("web")] == [
        ("web.lesson.svc.cluster.local.", "NXDOMAIN"),
        ("web.svc.cluster.local.", "NOERROR"),
    ]


def test_a_name_with_a_dot_at_its_end_is_tried_as_it_is(program):
    assert [line["name"] for line in program("web.")] == ["web."]


@pytest.mark.parametrize(
    ("ndots", "first"), [(5, "a.b.lesson.svc.cluster.local."), (2, "a.b.lesson.svc.cluster.local."), (1, "a.b.")]
)
def test_ndots_decides_what_is_tried_first(program, ndots, first):
    assert program.names["candidates"]("a.b", CLUSTER, ndots)[0] == first


def test_after_a_question_without_an_answer_no_other_is_asked(program):
    program.zone["web.lesson.svc.cluster.local."] = TimeoutError()
    assert [line["code"] for line in program("web")] == ["no answer"]


@pytest.mark.parametrize(
    ("type_", "line", "data"),
    [
        ("A", "n. 5 A 192.0.2.7", "192.0.2.7"),
        ("AAAA", "n. 5 AAAA 2001:db8::7", "2001:db8::7"),
        ("SRV", "n. 5 SRV 0 50 8080 web.example.", "0 50 8080 web.example"),
        ("CNAME", "n. 5 CNAME web.example.", "web.example"),
        ("PTR", "n. 5 PTR web.example.", "web.example"),
        ("TXT", 'n. 5 TXT "1.1.0"', "1.1.0"),
    ],
)
def test_records_are_read_as_zone_files_write_them(program, type_, line, data):
    program.zone["n."] = [line]
    assert program("n.", type_)[0]["records"] == [{"name": "n", "type": type_, "ttl": 5, "data": data}]


def found(*tried, records=(), type_="A", **owners):
    return Lookup("web", type_, tuple(Tried("n.", code) for code in tried), tuple(records), owners)


def test_addresses_are_shown_by_their_owners():
    record = Record("web", "A", 5, "10.96.7.7")
    answer = found("NXDOMAIN", "NOERROR", records=[record], **{"10.96.7.7": "Service web"})
    assert (repr(answer), answer.addresses) == ("Lookup(web A: Service web)", ("10.96.7.7",))
    assert answer
    assert "10.96" not in answer._repr_html_()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (found("NXDOMAIN", "NXDOMAIN"), "NXDOMAIN"),
        (found("NOERROR", "NXDOMAIN", type_="AAAA"), "NOERROR, but no AAAA record"),
        (found("NXDOMAIN", "no answer"), "no answer"),
    ],
)
def test_a_name_without_such_a_record_says_why(answer, said):
    assert not answer
    assert answer.sentence == said


@pytest.mark.parametrize(("name", "type_"), [("web", "MX"), ("", "A"), ("a..b", "A"), ("wéb", "A"), ("a" * 64, "A")])
def test_what_cannot_be_asked_is_refused_in_a_sentence(lab_with_web, name, type_):
    with pytest.raises(LabError, match=r"no record type|no DNS name"):
        lookup(lab_with_web, name, type_)


def test_the_apis_own_service_is_known_where_no_other_namespace_may_be_seen(lab_with_web, monkeypatch):
    ask = lab_with_web.api.request

    def own_only(method, path, query=None, body=None):
        if path == "/api/v1/services":
            raise ApiError(403, "Forbidden", "services is forbidden")
        return ask(method, path, query, body)

    monkeypatch.setattr(lab_with_web.api, "request", own_only)
    monkeypatch.setattr(lab_with_web, "exec", lambda pod, argv: Finished(0, "192.0.2.1\n", ""))
    owners = _owners(lab_with_web)
    assert owners["192.0.2.1"] == "Service kubernetes"
    assert "Service web" in owners.values()
