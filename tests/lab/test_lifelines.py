import re

import pytest

from kubelab.lab.schematic import rows


def test_deleted_pods_are_told_from_those_that_came(lab_with_web):
    with lab_with_web.watch_pods("app=web") as pods:
        lab_with_web.delete("app=web")
    assert repr(pods) == "PodLifelines(3 of 3 pod IPs changed)"
    assert pods.ips_kept == 0
    assert [line.pod.alias for line in pods.lines] == [f"web-{n}" for n in range(1, 7)]


def test_pods_that_stay_keep_their_addresses(lab_with_web):
    with lab_with_web.watch_pods("app=web") as pods:
        lab_with_web.delete(lab_with_web.pods("app=web")[0])
    assert repr(pods) == "PodLifelines(1 of 3 pod IPs changed)"


def test_restarted_containers_are_counted(lab_with_web):
    name = lab_with_web.pods("app=web")[0].name
    with lab_with_web.watch_pods("app=web") as pods:
        status = lab_with_web.api.objects[f"/api/v1/namespaces/lesson/pods/{name}"]["status"]
        status["containerStatuses"] = [{"restartCount": 1, "state": {}}]
    assert repr(pods) == "PodLifelines(0 of 3 pod IPs changed; 1 container restarted)"


def test_a_client_pinned_to_an_address_is_left_alone_and_one_with_a_name_is_not(lab_with_web):
    clients = {"pinned": "web-1", "by name": "web"}
    with lab_with_web.watch_pods("app=web", clients) as pods:
        lab_with_web.delete("app=web")
    assert repr(pods) == (
        "PodLifelines(3 of 3 pod IPs changed; by name: answered all along; pinned: answered at first, then never again)"
    )


def test_a_block_that_fails_ends_the_clients_and_the_sampler(lab_with_web):
    watch = lab_with_web.watch_pods("app=web", {"by name": "web"})
    with pytest.raises(ZeroDivisionError), watch:
        1 / 0  # noqa: B018
    assert not watch._sampler.is_alive()
    assert watch.traffic["by name"].success == 1


def test_the_drawing_is_the_same_on_every_run_and_shows_no_address(lab_with_web):
    drawings = set()
    for _ in range(2):
        lab_with_web.aliases.__init__()
        with lab_with_web.watch_pods("app=web", {"pinned": "web-1"}) as pods:
            lab_with_web.delete("app=web")
        drawings.add(pods._repr_html_())
    (html,) = drawings
    assert "<b>3 of 3 pod IPs changed</b>" in html
    assert not re.search(r"10\.244", html)
    assert [row.line for row in rows(pods)] == ["●━━━━━━━━━✖          "] * 3 + ["          ●━━━━━━━━━●"] * 3 + [
        "✔✔✔✔✔✔✔✔✔✔…✖✖✖✖✖✖✖✖✖✖"
    ]
    assert [row.words for row in rows(pods)] == ["gone"] * 3 + ["new"] * 3 + ["answered at first, then never again"]
    assert [row.address for row in rows(pods)] == [f"no. {n}" for n in range(1, 7)] + [""]


def test_the_picture_has_a_row_for_every_pod_and_every_client(lab_with_web):
    with lab_with_web.watch_pods("app=web", {"pinned": "web-1"}) as pods:
        lab_with_web.delete("app=web")
    labels = [label.get_text() for label in pods.plot().axes[0].get_yticklabels()]
    assert [label.split()[0] for label in labels[:6]] == [f"web-{n}" for n in range(1, 7)]
    assert labels[6] == "client: pinned"
