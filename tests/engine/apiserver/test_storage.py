from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kubelab.engine.apiserver import ApiServer
from kubelab.engine.apiserver.storage import ByNamespace, Store, Write
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import CONFIGMAPS

WRITER = """
import asyncio, sys
from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import CONFIGMAPS

async def main():
    client = Client(InProcessTransport(ApiServer.open(sys.argv[1]), "kubernetes-admin"))
    for number in range(100_000):
        await client.create(CONFIGMAPS, {"metadata": {"name": f"n{number}"}}, "default")
        print(number, flush=True)

asyncio.run(main())
"""


def _config(name: str) -> dict:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}}


def test_objects_come_back_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.put("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    store.close()
    again = Store(tmp_path / "db")
    stored = again.get("/configmaps", ("default", "a"))
    again.close()
    assert stored is not None
    assert stored.obj["metadata"]["name"] == "a"
    assert stored.obj["metadata"]["resourceVersion"] == str(stored.revision)


def test_the_revision_never_goes_back_even_when_the_last_write_was_a_deletion(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.put("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    gone = store.remove("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    store.close()
    again = Store(tmp_path / "db")
    revision = again.revision
    again.close()
    assert revision == gone.revision


def test_the_past_can_be_listed_while_its_events_are_remembered() -> None:
    store = Store(":memory:")
    first = store.put("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    store.put("/configmaps", ("default", "b"), _config("b"), "ConfigMap", "v1")
    store.remove("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    shelf = store.shelf("/configmaps")
    assert [stored.key[1] for stored in shelf.as_of(first.revision)] == ["a"]
    assert [stored.key[1] for stored in shelf.sorted()] == ["b"]
    store.close()


def _kill_a_writer(database: Path) -> list[int]:
    """What a writer said it had written before it was killed."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(database)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    return acknowledged


async def test_kill_minus_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    database = tmp_path / "db"
    acknowledged = await asyncio.to_thread(_kill_a_writer, database)
    server = ApiServer.open(database)
    client = Client(InProcessTransport(server, "kubernetes-admin"))
    kept = {item["metadata"]["name"] for item in (await client.list(CONFIGMAPS, "default"))["items"]}
    await server.close()
    assert {f"n{number}" for number in acknowledged} <= kept


async def test_a_full_disk_refuses_writes_in_one_sentence_and_reads_go_on(api, server) -> None:
    configmaps = "/api/v1/namespaces/default/configmaps"
    pages = server._store._db.execute("PRAGMA page_count").fetchone()[0]
    server._store._db.execute(f"PRAGMA max_page_count = {pages}")
    refused = await api.post(configmaps, {"metadata": {"name": "a"}, "data": {"k": "x" * 100_000}})
    assert refused.code == 500
    assert refused.body["message"].endswith("the cluster's store cannot be used: database or disk is full")
    assert (await api.get(f"{configmaps}/a")).code == 404
    server._store._db.execute("PRAGMA max_page_count = 1000000")
    assert (await api.post(configmaps, {"metadata": {"name": "a"}})).code == 201


@pytest.fixture
def full_store(tmp_path: Path) -> Path:
    """As an engine that was killed leaves it: its last writes are in the log beside the file."""
    store = Store(tmp_path / "db")
    for number in range(2000):
        store.put("/configmaps", ("default", f"n{number}"), _config(f"n{number}"), "ConfigMap", "v1")
    (tmp_path / "killed").mkdir()
    for name in ("db", "db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "killed" / name)
    store.close()
    return tmp_path / "killed" / "db"


def test_what_lies_in_the_log_beside_the_file_comes_back(full_store) -> None:
    assert full_store.with_name("db-wal").stat().st_size
    store = Store(full_store)
    assert len(store.shelf("/configmaps").objects) == 2000
    store.close()


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9])
def test_a_store_that_was_cut_short_is_refused_and_never_half_read(full_store, share) -> None:
    os.truncate(full_store, int(full_store.stat().st_size * share))
    log = full_store.with_name("db-wal").read_bytes()
    try:
        store = Store(full_store)
    except (sqlite3.Error, ValueError):
        assert share or full_store.with_name("db-wal").read_bytes() == log
        return
    assert len(store.shelf("/configmaps").objects) == 2000  # the log had all that was cut off
    store.close()


def test_a_store_of_another_layout_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as old:
        old.execute("CREATE TABLE objects (resource, namespace, name, body)")
    with pytest.raises(sqlite3.DatabaseError, match="another version of kubelab"):
        Store(tmp_path / "db")


def test_several_changes_are_kept_as_one_or_not_at_all(tmp_path) -> None:
    store = Store(tmp_path / "db")
    good = Write("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1")
    store.commit(good, Write("/configmaps", ("default", "b"), _config("b"), "ConfigMap", "v1"))
    before, seen = store.revision, []
    store.shelf("/configmaps").listeners.append(seen.append)
    with pytest.raises(TypeError):  # the second cannot be written
        store.commit(
            Write("/configmaps", ("default", "a"), _config("a"), "ConfigMap", "v1", gone=True),
            Write("/configmaps", ("default", "c"), {**_config("c"), "data": object()}, "ConfigMap", "v1"),
        )
    assert (store.revision, seen) == (before, [])
    store.close()
    again = Store(tmp_path / "db")
    assert sorted(name for _, name in again.shelf("/configmaps").objects) == ["a", "b"]
    again.close()


def test_objects_are_found_by_their_namespace_while_they_come_and_go() -> None:
    store = Store(":memory:")
    store.put("/configmaps", ("one", "a"), _config("a"), "ConfigMap", "v1")
    index = ByNamespace(store.shelf("/configmaps"))
    store.put("/configmaps", ("two", "b"), _config("b"), "ConfigMap", "v1")
    store.put("/configmaps", ("one", "c"), _config("c"), "ConfigMap", "v1")
    assert [stored.key for stored in index.of("one")] == [("one", "a"), ("one", "c")]
    store.remove("/configmaps", ("one", "a"), _config("a"), "ConfigMap", "v1")
    assert [stored.key for stored in index.of("one")] == [("one", "c")]
    assert index.of("three") == []
    store.close()
