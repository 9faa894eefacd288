"""Requests from a generator, on a server without sockets; `python -m benchmarks fuzz` sends more of them to a cluster.

To see one that failed again: ``request(SEED, number)``, after `preparation` and those before it.
"""

from __future__ import annotations

from kubelab.engine.client import ApiRequest
from tests.engine.apiserver.conftest import TOKEN
from tests.engine.apiserver.fuzz.requests import FuzzRequest, preparation, request
from tests.engine.apiserver.fuzz.verdict import is_fault

SEED, REQUESTS = 20260, 2000


async def send(server, asked: FuzzRequest) -> tuple[int, bytes]:
    headers = {"authorization": f"Bearer {TOKEN}", **asked.headers}
    answer = await server.handle(ApiRequest(asked.method, asked.path, asked.query, headers, asked.body))
    assert all(value.isprintable() for value in answer.headers.values()), "no client would ever get this"
    if isinstance(answer.body, bytes):
        return answer.status, answer.body
    return answer.status, b""


async def test_no_request_is_answered_with_a_fault_and_all_that_was_kept_can_be_read(server, caplog) -> None:
    for asked in preparation():
        assert (await send(server, asked))[0] in (201, 409)
    statuses = set()
    for number in range(REQUESTS):
        asked = request(SEED, number)
        status, body = await send(server, asked)
        statuses.add(status)
        assert not is_fault(asked, status, body), (number, asked.method, asked.line, asked.body[:500], body)
    assert {200, 201, 400, 404, 405, 409, 415, 422} <= statuses, "the requests are too much alike"
    assert not [record for record in caplog.records if record.exc_info]
    for form in ("*/*", "application/yaml", "application/json;as=Table;g=meta.k8s.io;v=v1"):
        for rtype in server._definitions.catalogue.by_path.values():
            if "list" in rtype.verbs:
                root = f"/apis/{rtype.group}/{rtype.version}" if rtype.group else f"/api/{rtype.version}"
                listed = FuzzRequest(-1, "GET", f"{root}/{rtype.plural}", (), {"accept": form}, b"")
                assert (await send(server, listed))[0] == 200, (form, rtype.plural)


def test_the_same_seed_makes_the_same_requests() -> None:
    assert [request(1, number) for number in range(200)] == [request(1, number) for number in range(200)]
    assert request(1, 7) != request(2, 7)
