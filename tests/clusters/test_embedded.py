from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from kubelab.clusters import embedded, process
from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import Descendants, below


def engine_of(cluster) -> int:
    pid = cluster.state.engine_pid()
    assert pid is not None
    return pid


def test_up_starts_an_engine_that_is_in_a_session_of_its_own(make_cluster):
    cluster = make_cluster()
    cluster.up()
    assert os.getsid(engine_of(cluster)) == engine_of(cluster)
    assert cluster.kubeconfig.read_text() == "a kubeconfig"
    assert cluster.status() == (True, "all is well")


def test_up_twice_is_once(make_cluster):
    cluster = make_cluster()
    cluster.up()
    first = engine_of(cluster)
    cluster.up()
    make_cluster().up()
    assert engine_of(cluster) == first


def test_two_that_start_it_at_once_share_one_engine(make_cluster):
    clusters = [make_cluster("slow") for _ in range(4)]
    threads = [threading.Thread(target=cluster.up) for cluster in clusters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {cluster.facts()["pid"] for cluster in clusters} == {engine_of(clusters[0])}


def test_down_takes_a_damaged_directory_away_too(make_cluster):
    cluster = make_cluster()
    cluster.up()
    cluster.down()
    cluster.state.create()
    cluster.state.lock.touch()
    cluster.state.volumes.rmdir()
    cluster.state.volumes.write_text("not a directory")
    with pytest.raises(ClusterError):
        cluster.up()
    cluster.down()
    assert not cluster.state.root.exists()


def test_down_leaves_no_process_and_no_file_and_may_be_said_twice(make_cluster):
    cluster = make_cluster()
    cluster.up()
    family = below(engine_of(cluster))
    assert len(family) == 2
    cluster.down()
    assert not [pid for pid in family if is_alive(pid)]
    assert list(cluster.state.root.parent.iterdir()) == []
    cluster.down()
    assert cluster.status() == (False, "There is no cluster 'demo'; `kubelab up --name demo` makes one.")


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_clusters_live_side_by_side(make_cluster):
    here, there = make_cluster(name="here"), make_cluster(name="there")
    here.up()
    there.up()
    here.down()
    assert there.status().running


def test_an_engine_that_was_killed_is_started_again(make_cluster):
    cluster = make_cluster()
    cluster.up()
    first = engine_of(cluster)
    family = Descendants(first)
    family.kill(5)
    family.close()
    assert cluster.status() == (
        False,
        "The engine of 'demo' is not running; `kubelab up --name demo` starts it again.",
    )
    cluster.up()
    assert engine_of(cluster) != first
    assert cluster.status().running


def test_an_engine_that_hangs_is_replaced(make_cluster, monkeypatch):
    monkeypatch.setattr(embedded, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(process, "DOWN_SECONDS", 0.4)
    cluster = make_cluster()
    cluster.up()
    first = engine_of(cluster)
    os.kill(first, signal.SIGSTOP)
    assert "does not answer" in cluster.status().detail
    cluster.up()
    assert engine_of(cluster) != first
    assert not is_alive(first)


@pytest.mark.parametrize("lost", ["control.sock", "kubeconfig"])
def test_a_lost_file_is_mended_by_up(make_cluster, lost):
    cluster = make_cluster()
    cluster.up()
    (cluster.state.root / lost).unlink()
    cluster.up()
    assert (cluster.state.root / lost).exists()
    assert cluster.status().running


def test_an_engine_that_does_not_want_to_end_is_killed_with_its_children(make_cluster, monkeypatch):
    monkeypatch.setattr(process, "DOWN_SECONDS", 0.4)
    cluster = make_cluster("clings")
    cluster.up()
    family = below(engine_of(cluster))
    cluster.down()
    assert not [pid for pid in family if is_alive(pid)]


def test_the_engines_own_sentence_is_what_up_fails_with(make_cluster):
    with pytest.raises(ClusterError, match=r"^Port 6443 on 127.0.0.1 is taken; choose another with --api-port.$"):
        make_cluster("refuses").up()


def test_an_engine_that_breaks_is_quoted_with_its_last_line(make_cluster):
    cluster = make_cluster("breaks")
    with pytest.raises(ClusterError) as failure:
        cluster.up()
    assert str(failure.value) == (
        f"The engine ended while it was starting: No module named 'aiohttp' (see {cluster.state.log})."
    )


def test_an_engine_that_is_never_ready_is_not_left_running(make_cluster, monkeypatch):
    monkeypatch.setattr(embedded, "START_SECONDS", 1.0)
    cluster = make_cluster("mute")
    with pytest.raises(ClusterError, match="did not get ready in time"):
        cluster.up()
    assert cluster.state.engine_pid() is None


def test_a_running_cluster_keeps_its_port(make_cluster):
    make_cluster(api_port=40001).up()
    make_cluster(api_port=40001).up()
    with pytest.raises(ClusterError, match="runs already, with its API on port 40001"):
        make_cluster(api_port=40002).up()


def test_a_running_cluster_keeps_its_tier(make_cluster):
    make_cluster(tier="root").up()
    with pytest.raises(ClusterError, match="runs already, on the tier 'root'"):
        make_cluster(tier="user").up()


def test_a_home_that_cannot_be_written_is_one_sentence(make_cluster, monkeypatch):
    monkeypatch.setenv("KUBELAB_HOME", "/proc/nowhere")
    with pytest.raises(ClusterError, match=r"set KUBELAB_HOME to a directory"):
        make_cluster().up()


def test_a_bad_name_and_a_bad_tier_are_one_sentence(make_cluster, monkeypatch):
    with pytest.raises(ClusterError, match="cannot be called 'No Name'"):
        make_cluster(name="No Name")
    monkeypatch.setenv("KUBELAB_TIER", "moon")
    with pytest.raises(ClusterError, match="KUBELAB_TIER is 'moon'; it can be root, user, interposed"):
        make_cluster()


def test_a_command_runs_in_a_node_or_outside(make_cluster):
    cluster = make_cluster()
    cluster.up()
    worker = cluster.nodes()[1]
    assert worker.name == "demo-worker"
    assert worker.run(["tr", "a-z", "A-Z"], stdin="hello") == (0, "node/demo-worker: HELLO", "")
    assert cluster.outside.run(["sh", "-c", "exit 3"]).code == 3


def test_without_a_cluster_a_node_says_so(make_cluster):
    with pytest.raises(ClusterError, match="not running; `kubelab up` starts it"):
        make_cluster().nodes()[0].run(["true"])


def test_re_attaching_loads_nothing_heavy(make_cluster):
    cluster = make_cluster()
    cluster.up()
    code = (
        "import sys; from kubelab.clusters import attach; attach('demo');"
        "heavy = {'asyncio', 'aiohttp', 'kubernetes', 'cryptography', 'click', 'argparse'} & set(sys.modules);"
        "sys.exit(f'heavy: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_engine_outlives_the_process_that_started_it(make_cluster):
    cluster = make_cluster()
    code = (
        "import sys; from kubelab.clusters.embedded import EmbeddedCluster;"
        "EmbeddedCluster('demo', engine=sys.argv[1:]).up()"
    )
    fake = Path(__file__).with_name("fake_engine.py")
    starter = subprocess.Popen([sys.executable, "-c", code, sys.executable, fake, "well"], start_new_session=True)
    assert starter.wait() == 0
    with suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)
    assert cluster.status().running


def test_whoever_ups_and_downs_at_once_leaves_one_cluster_or_none(make_cluster):
    """Whatever the order: no call fails, and what stands at the end is whole."""
    cluster, failures = make_cluster(), []

    def repeat(act) -> None:
        try:
            for _ in range(5):
                act()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=[act]) for act in (cluster.up, cluster.down, cluster.up)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    pid = cluster.state.engine_pid()
    assert engines_of(cluster) == ([] if pid is None else [pid])
    assert cluster.status().running == (pid is not None)
    cluster.down()
    assert engines_of(cluster) == []
    assert list(cluster.state.root.parent.iterdir()) == []


def engines_of(cluster) -> list[int]:
    """By their command lines, whoever started them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if b"--state" in words and words[words.index(b"--state") + 1] == os.fsencode(cluster.state.root):
                found.append(int(file.parent.name))
    return found
