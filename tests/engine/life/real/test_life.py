"""The life of a real engine: what it survives, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.engine.state import StateDir

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PODS = "/api/v1/namespaces/default/pods"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def web_pod(name: str = "web") -> dict:
    container = {
        "name": "web",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.53",
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def is_ready(pod: dict) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: dict) -> int:
    return pod["status"]["containerStatuses"][0]["restartCount"]


def engine_of(cluster: EmbeddedCluster) -> int:
    pid = cluster.state.engine_pid()
    assert pid is not None
    return pid


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_when_up_returns_nodes_are_ready_and_names_are_answered(cluster, api):
    cluster.up()
    nodes = api("GET", "/api/v1/nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["life-control-plane", "life-worker", "life-worker2"]
    assert all(map(is_ready, nodes))
    code = "import socket; s = socket.create_connection(('10.96.0.10', 53), 2)"
    assert cluster.nodes()[0].run(["/usr/bin/env", "python3", "-c", code]).code == 0


def processes_of(cluster: EmbeddedCluster) -> list[str]:
    """The command lines, with the environments, that tell of this cluster's directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                found.append((process / name).read_text(errors="replace"))
    return [each for each in found if f"{cluster.state.root}" in each]


def test_down_leaves_nothing(cluster, api, eventually):
    """Namespaces go with the processes and mounts that hold them."""

    def of_this_machine() -> tuple[str, list[str]]:
        return Path("/proc/self/mounts").read_text(), sorted(os.listdir("/sys/class/net"))

    before = of_this_machine()
    cluster.up()
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    family = below(engine_of(cluster))
    assert len(family) > 3
    assert processes_of(cluster)
    cluster.down()
    assert not [pid for pid in family if is_alive(pid)]
    assert processes_of(cluster) == []
    assert list(cluster.state.root.parent.iterdir()) == []
    assert of_this_machine() == before


def as_an_earlier_version_left_it(state: StateDir) -> None:
    """Its objects are there, and little else; a file of then means nothing now."""
    for folder in (state.volumes, state.logs, state.root / "network"):
        shutil.rmtree(folder)
    for file in (state.loopback, state.proxy_mode, state.provider):
        file.unlink(missing_ok=True)
    (state.root / "control-plane").write_text("built-in")


def test_what_was_acknowledged_survives_a_killed_engine_and_a_newer_version(cluster, api, eventually):
    cluster.up()
    for number in range(20):
        api("POST", CONFIGMAPS, {"metadata": {"name": f"note-{number}"}, "data": {"n": str(number)}})
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    before = below(engine_of(cluster))
    server = cluster.facts()["server"]
    os.kill(engine_of(cluster), signal.SIGKILL)
    eventually(lambda: not [pid for pid in before if is_alive(pid)])
    assert not cluster.status().running

    as_an_earlier_version_left_it(cluster.state)
    cluster.up()
    assert cluster.facts()["server"] == server
    names = {item["metadata"]["name"] for item in api("GET", CONFIGMAPS)["items"]}
    assert {f"note-{number}" for number in range(20)} <= names
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))


def test_the_network_agents_death_heals_by_itself(cluster, api, eventually):
    cluster.up()
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    engine = engine_of(cluster)
    agent = below(engine)[1]
    os.kill(agent, signal.SIGKILL)
    pod = eventually(lambda: restarts(found := api("GET", f"{PODS}/web")) == 1 and is_ready(found) and found)
    cluster.up()
    assert engine_of(cluster) == engine
    script = f"import urllib.request; urllib.request.urlopen('http://{pod['status']['podIP']}:8080/', timeout=2)"
    assert cluster.nodes()[0].run(["/usr/bin/env", "python3", "-c", script]).stderr == ""


def test_a_killed_container_is_restarted(cluster, api, eventually):
    cluster.up()
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    leaves = [pid for pid in below(engine_of(cluster)) if b"netexec" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(leaves[-1], signal.SIGKILL)
    eventually(lambda: restarts(found := api("GET", f"{PODS}/web")) == 1 and is_ready(found))


def test_two_that_start_it_at_once_get_one_cluster(cluster):
    threads = [threading.Thread(target=cluster.up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cluster.status().running


def test_clusters_live_side_by_side(cluster, api):
    neighbour = EmbeddedCluster("next-door")
    try:
        cluster.up()
        neighbour.up()
        api("POST", CONFIGMAPS, {"metadata": {"name": "mine"}})
        neighbour.down()
        assert api.exists(f"{CONFIGMAPS}/mine")
    finally:
        neighbour.down()


def test_reset_empties_the_cluster(cluster, api, eventually):
    cluster.up()
    api("POST", "/api/v1/namespaces", {"metadata": {"name": "mine"}})
    api("POST", CONFIGMAPS, {"metadata": {"name": "note"}})
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    cluster.reset()
    assert not api.exists("/api/v1/namespaces/mine")
    assert not api.exists(f"{CONFIGMAPS}/note")
    assert not api.exists(f"{PODS}/web")
    assert cluster.status().running


def test_reset_takes_the_learners_rights_and_leaves_the_clusters(cluster, api):
    cluster.up()
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "mine"}
    api("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "mine"}, "rules": []})
    api("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": "mine"}, "roleRef": reference})
    api("POST", f"{RBAC}/namespaces/kube-system/rolebindings", {"metadata": {"name": "mine"}, "roleRef": reference})
    api("DELETE", f"{RBAC}/clusterroles/system:coredns")
    cluster.reset()
    for gone in ("clusterroles/mine", "clusterrolebindings/mine", "namespaces/kube-system/rolebindings/mine"):
        assert not api.exists(f"{RBAC}/{gone}")
    for there in ("clusterroles/edit", "clusterrolebindings/cluster-admin", "clusterroles/system:coredns"):
        assert api.exists(f"{RBAC}/{there}")


def test_no_part_of_the_engine_asks_for_more_than_its_role_allows(cluster, api, eventually):
    cluster.up()
    api("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "key"}})
    api("POST", PODS, web_pod())
    eventually(lambda: is_ready(api("GET", f"{PODS}/web")))
    api("DELETE", f"{PODS}/web")
    eventually(lambda: not api.exists(f"{PODS}/web"))
    assert [line for line in cluster.state.log.read_text().splitlines() if " 403: " in line] == []


def test_a_taken_port_is_one_sentence_and_no_half_made_cluster(cluster):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"^Port {port} on 127.0.0.1 is taken"):
            EmbeddedCluster("life", api_port=port).up()
    assert cluster.state.engine_pid() is None


def test_a_damaged_store_is_one_sentence_and_down_clears_it_away(cluster):
    cluster.up()
    os.kill(engine_of(cluster), signal.SIGKILL)
    for part in cluster.state.root.glob("store.sqlite3*"):
        part.write_bytes(b"not a database" * 1000)
    with pytest.raises(ClusterError, match=r"^The cluster's objects in .* cannot be read .*`kubelab down`"):
        cluster.up()
    cluster.down()
    assert not cluster.state.root.exists()


def test_a_damaged_token_is_made_anew(cluster, api):
    cluster.up()
    for damage in (b"", b"\xff", b"short"):
        os.kill(engine_of(cluster), signal.SIGKILL)
        cluster.state.token.write_bytes(damage)
        cluster.up()
        assert api("GET", "/api/v1/nodes")["items"], damage


def test_a_hanging_engine_is_replaced_and_nothing_of_it_stays(cluster, monkeypatch):
    monkeypatch.setattr("kubelab.clusters.embedded.ANSWER_SECONDS", 1.0)
    monkeypatch.setattr("kubelab.clusters.process.DOWN_SECONDS", 1.0)
    cluster.up()
    family = below(engine_of(cluster))
    os.kill(engine_of(cluster), signal.SIGSTOP)
    cluster.up()
    assert not [pid for pid in family if is_alive(pid)]
    assert cluster.status().running


def test_a_part_that_cannot_start_is_one_sentence_at_once(cluster):
    cluster.state.create()
    (cluster.state.root / "bin").write_text("a file where the node agents want a folder")
    with pytest.raises(ClusterError, match=r"The cluster did not start: the node agent of life-\S+ stopped: .*bin"):
        cluster.up()
    assert cluster.state.engine_pid() is None
