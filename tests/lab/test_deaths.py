import json

import pytest

from kubelab.lab.deaths import Moment, death
from kubelab.lab.errors import ApiError
from kubelab.lab.long_answers import LongAnswer
from kubelab.lab.pods import Pod
from kubelab.lab.testing import FakeLines
from kubelab.lab.traffic import Answer, Traffic
from kubelab.lab.witnesses import DELETED, ENDED, EXIT_CODE, GONE, RULE_GONE, SIGTERM, TERMINATING, ApiWitness, Hearing

POD = Pod("web-1", "web-x", "uid-1", "10.0.0.1", "n", ready=True, terminating=True, restarts=0, phase="", port=80)
ORDERLY = {DELETED: 10.0, TERMINATING: 10.1, RULE_GONE: 10.5, SIGTERM: 13.0, ENDED: 13.1, GONE: 13.2}
SLICES = "/apis/discovery.k8s.io/v1/namespaces/lesson/endpointslices"
PODS = "/api/v1/namespaces/lesson/pods"


def ended(answers=(), code="0", **when):
    moments = [Moment(what, at) for what, at in {**ORDERLY, **when}.items()] + [Moment(EXIT_CODE, 13.1, code)]
    return death(POD, moments, {"client": Traffic(tuple(answers))}, {"client": 5.0})


def answered(at, uid="uid-1"):
    return Answer(at, 0.01, 200, uid=uid)


def refused(at):
    return Answer(at, 0.01, error="refused")


def test_an_orderly_end_is_told_in_its_order_and_in_words_that_do_not_depend_on_the_moment():
    told = ended([answered(1), answered(5.2), answered(9, "uid-2")])
    assert told.sentence == "SIGTERM came after its rule was gone; no request failed; it ended by itself"
    assert [what for _, what, _ in told.rows()] == [
        "deletion requested", "EndpointSlice: terminating", "last request that it answered", "rule gone from the node",
        "SIGTERM reached the process", "process ended, exit code 0", "pod gone from the API",
    ]  # fmt: skip
    assert told.answered == pytest.approx((-4.0, 0.2))


def test_sigterm_before_the_rule_is_gone_and_what_failed_around_it():
    told = ended([refused(1), refused(5.2), refused(5.4), refused(20)], code="137", **{SIGTERM: 10.05})
    assert told.told_too_early
    assert told.sentence == "SIGTERM came before its rule was gone; some requests failed; it was killed"
    assert told.failed == pytest.approx((0.2, 0.4))
    assert ("+0.20 s", "2 requests failed, until +0.40 s", "client") in told.rows()


def test_a_rule_that_came_and_went_is_gone_when_it_was_gone_for_good():
    moments = [Moment(RULE_GONE, 2.0), Moment(DELETED, 10.0), Moment(SIGTERM, 10.1), Moment(RULE_GONE, 10.5)]
    assert death(POD, [*moments, Moment(DELETED, 10.6)], {}, {}).told_too_early


def test_what_nobody_saw_is_left_out():
    told = death(POD, [Moment(DELETED, 1.0)], {}, {})
    assert told.told_too_early is None
    assert told.sentence == "Skipped: nobody saw when its rule went; no request failed; it ended by itself"


def test_the_picture_has_a_title_and_rows():
    (axes,) = ended([answered(5.1), refused(5.3)], **{SIGTERM: 10.05}).plot().axes
    assert "some requests failed" in axes.get_title(loc="left")
    assert [label.get_text() for label in axes.get_yticklabels()][2:] == ["answered by web-1", "failed (1)"]


def test_witnesses_tell_a_record_of_every_pod_that_goes(lab_with_web):
    lab = lab_with_web
    pod = lab.pods("app=web")[0]
    metadata = {"uid": pod.uid, "deletionTimestamp": "now", "resourceVersion": "2"}
    status = {"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]}
    slice_ = {"uid": "web-x", "resourceVersion": "2"}
    endpoint = {"targetRef": {"uid": pod.uid}, "conditions": {"terminating": True}}
    lab.api.told = {
        PODS: [json.dumps({"type": "DELETED", "object": {"metadata": metadata, "status": status}})],
        SLICES: [json.dumps({"type": "MODIFIED", "object": {"metadata": slice_, "endpoints": [endpoint]}})],
        f"{PODS}/{pod.name}/log": ["serving", "SIGTERM"],
    }
    with lab.watch_pods("app=web", {"client": "web"}, service="web") as record:
        pass
    (told,) = record.deaths
    assert (told.pod, told.exit_code) == ("web-1", 0)
    assert set(told.when) == {DELETED, TERMINATING, SIGTERM, ENDED, GONE}


def test_a_watch_that_fails_is_told_at_the_end_of_the_block():
    class Failing(Fickle):
        def lines(self, path, query):
            return FakeLines([told("ERROR", {"code": 403, "message": "not any more"})])

    hearing = Hearing([ApiWitness(Failing(), "lesson", "app=web")], lambda *_: None)
    for thread in hearing._threads:
        thread.join(30)
    with pytest.raises(ApiError, match="not any more"):
        hearing.end()


class Fickle:
    """An API whose watches end when they like, and which has forgotten what was before."""

    def __init__(self) -> None:
        self.lists = [[seen(1)], [], []]
        self.watches = [
            [told("MODIFIED", seen(3, deletionTimestamp="now"))],
            [told("ERROR", {"code": 410, "reason": "Expired", "message": "too old"})],
        ]
        self.asked = []

    def request(self, method, path, query):
        self.asked.append("list")
        return {"metadata": {"resourceVersion": "2"}, "items": self.lists.pop(0)}

    def lines(self, path, query):
        self.asked.append(query["resourceVersion"])
        return FakeLines(self.watches.pop(0)) if self.watches else FakeLines(self.nothing_more())

    def nothing_more(self):
        self.witness.stop()
        return iter(())


def seen(version, **more):
    return {"metadata": {"uid": "uid-1", "resourceVersion": str(version), **more}, "status": {}}


def told(kind, obj):
    return json.dumps({"type": kind, "object": obj})


def test_a_witness_goes_on_where_a_watch_ended_and_begins_anew_where_it_was_forgotten():
    api, heard = Fickle(), []
    api.witness = ApiWitness(api, "lesson", "app=web")
    api.witness.watch(lambda uid, what, _: heard.append((uid, what)))
    assert api.asked == ["list", "2", "3", "list", "2"]
    assert heard == [("uid-1", DELETED), ("uid-1", DELETED), ("uid-1", GONE)]


def test_a_pod_that_was_gone_before_its_log_was_asked_for_is_no_failure(lab_with_web):
    def gone():
        raise ApiError(404, "NotFound", "pods not found")
        yield

    pod = lab_with_web.pods("app=web")[0]
    lab_with_web.api.told = {f"{PODS}/{pod.name}/log": gone()}
    with lab_with_web.watch_pods("app=web", {"client": "web"}, service="web") as record:
        pass
    assert record.deaths == []


class Response:
    def __init__(self, *pieces):
        self.pieces, self.closed = pieces, False

    def stream(self, size):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def shutdown(self):
        raise ValueError("it is closed")

    def close(self):
        self.closed = True


def test_lines_come_whole_however_they_are_cut():
    response = Response(b"one\ntw", b"o\nthr", b"ee")
    assert list(LongAnswer(response)) == ["one", "two", "three"]
    assert response.closed


def test_an_answer_that_breaks_is_an_error_unless_somebody_hung_up():
    with pytest.raises(OSError, match="gone"):
        list(LongAnswer(Response(b"one\n", OSError("gone"))))
    answer = LongAnswer(Response(b"one\n", OSError("gone")))
    answer.close()
    assert list(answer) == ["one"]
