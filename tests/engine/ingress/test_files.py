"""The order in which Envoy's files are replaced."""

from __future__ import annotations

import json

import pytest

from kubelab.engine.ingress import files
from kubelab.engine.ingress.files import Configuration, Files, create, document, version_of


def configuration(*clusters, routes="all", listeners=("ingress",)):
    """One route configuration that uses every cluster."""
    used = {"name": "ingress:80", "uses": list(clusters), "mark": routes}
    return Configuration(
        [{"name": each} for each in listeners], {"routes.json": used}, [{"name": each} for each in clusters]
    )


@pytest.fixture
def moments(monkeypatch, tmp_path):
    """What stands in the files whenever the Envoys are waited for; every Envoy accepts it."""
    seen = []

    def accepted(port, expected):
        names = {}
        for file in ("clusters.json", "routes.json", "listeners.json"):
            path = tmp_path / file
            found = json.loads(path.read_text())["resources"] if path.exists() else []
            names[file.removesuffix(".json")] = found
        seen.append((set(expected), names))
        return True

    monkeypatch.setattr(files, "_accepted", accepted)
    create(tmp_path)
    return seen


def folder_of(tmp_path):
    return Files(tmp_path, [1])


async def test_at_no_moment_a_route_leads_to_a_cluster_that_is_not_there(moments, tmp_path):
    folder = folder_of(tmp_path)
    assert await folder.serve(configuration("a", "b"))
    assert await folder.serve(configuration("b", "c"))
    for _, names in moments:
        there = {each["name"] for each in names["clusters"]}
        assert {used for each in names["routes"] for used in each["uses"]} <= there
    assert [each["name"] for each in moments[-1][1]["clusters"]] == ["b", "c"]


async def test_a_listener_comes_after_its_routes(moments, tmp_path):
    await folder_of(tmp_path).serve(configuration("a"))
    stats = [expected for expected, _ in moments]
    assert stats == [{"cluster_manager.cds"}, {"listener_manager.lds"}]
    assert moments[-1][1]["routes"] != []


async def test_what_has_not_changed_is_not_written(moments, tmp_path):
    folder = folder_of(tmp_path)
    await folder.serve(configuration("a", "b"))
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    moments.clear()
    await folder.serve(configuration("b", "a", routes="all"))
    assert moments == [] or {stat for expected, _ in moments for stat in expected} == {"http.ingress.rds.ingress_80"}
    after = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert after["clusters.json"] == before["clusters.json"]
    assert after["listeners.json"] == before["listeners.json"]


async def test_a_route_configuration_that_is_used_no_more_is_taken_away(moments, tmp_path):
    folder = folder_of(tmp_path)
    await folder.serve(configuration("a"))
    await folder.serve(Configuration([], {}, []))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clusters.json", "listeners.json"]


async def test_an_envoy_that_is_not_there_is_not_waited_for(tmp_path, unused_tcp_port):
    create(tmp_path)
    assert await Files(tmp_path, [unused_tcp_port]).serve(configuration("a"))


def test_a_version_is_made_by_the_content():
    one, two = (document("kind", [{"name": name}]) for name in ("a", "b"))
    assert version_of(one) != version_of(two)
    assert json.loads(one)["version_info"] == version_of(one) == version_of(document("kind", [{"name": "a"}]))


def test_files_of_a_predecessor_stay(tmp_path):
    (tmp_path / "clusters.json").write_text("{}")
    create(tmp_path)
    assert (tmp_path / "clusters.json").read_text() == "{}"
    assert json.loads((tmp_path / "listeners.json").read_text())["resources"] == []
