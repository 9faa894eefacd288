import pytest

from kubelab.lab.traffic import Answer, Traffic


def traffic(*parts, **options):
    """``("web-1", 3)`` for answers of a pod, ``("refused", 1)`` for errors, ``(503, 2)`` for codes."""
    answers = []
    for what, count in parts:
        for _ in range(count):
            if isinstance(what, int):
                answers.append(Answer(0, 0.001, code=what))
            elif what.startswith("web"):
                answers.append(Answer(0, 0.001, code=200, pod=what))
            else:
                answers.append(Answer(0, 0.001, error=what))
    return Traffic(tuple(answers), **options)


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([("web-1", 20), ("web-2", 21), ("web-3", 19)], "Traffic(60 requests: 100% answered by 3 pods)"),
        ([("web-2", 20)], "Traffic(20 requests: 100% answered by web-2)"),
        ([("web-1", 1)], "Traffic(1 request: 100% answered by web-1)"),
        ([("web-1", 199), ("refused", 1)], "Traffic(200 requests: 99% answered by web-1)"),
        ([("timeout", 5)], "Traffic(5 requests: none answered)"),
        ([(404, 5)], "Traffic(5 requests: 100% answered with 404)"),
        ([(503, 5)], "Traffic(5 requests: none answered with 503)"),
        ([], "Traffic(0 requests: none answered)"),
    ],
)
def test_a_probe_shows_what_is_the_same_on_every_run(parts, shown):
    assert repr(traffic(*parts)) == shown


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([("web-1", 100)], "Traffic(at least 99% answered by web-1)"),
        ([("web-1", 998), ("reset", 2)], "Traffic(at least 99% answered by web-1)"),
        ([("web-1", 50), ("timeout", 50)], "Traffic(only some answered by web-1)"),
        ([("timeout", 50)], "Traffic(none answered)"),
    ],
)
def test_a_stream_does_not_show_how_many_requests_there_happened_to_be(parts, shown):
    assert repr(traffic(*parts, counted=False)) == shown


def test_pods_are_counted_in_the_order_of_their_numbers():
    assert traffic(("web-10", 1), ("web-9", 2)).counts == {"web-9": 2, "web-10": 1}


def test_errors_and_codes_are_counted_apart():
    seen = traffic(("web-1", 3), ("refused", 2), ("timeout", 1), (503, 1))
    assert seen.errors == {"refused": 2, "timeout": 1}
    assert seen.codes == {200: 3, 503: 1}
    assert seen.success == 3 / 7


def test_fairness_is_judged_with_the_silent_pods_counted_in():
    assert repr(traffic(("web-1", 22), ("web-2", 20), ("web-3", 18)).fair()) == (
        "Fairness(even over 3 pods; a false alarm once in 1000 runs)"
    )
    assert not traffic(("web-1", 60)).fair(pods=3)


def test_the_html_says_what_the_text_says_and_escapes_what_came_from_the_cluster():
    html = traffic(("web-1", 2), target="<script>")._repr_html_()
    assert "2 requests: 100% answered by web-1" in html
    assert "<script>" not in html


def test_a_picture_has_a_bar_for_every_pod_and_every_kind_of_error():
    figure = traffic(("web-1", 3), ("web-2", 3), ("refused", 2)).plot()
    shares = figure.axes[0]
    assert [label.get_text() for label in shares.get_yticklabels()] == ["web-1", "web-2", "refused"]
    assert [bar.get_width() for bar in shares.patches] == [3, 3, 2]
