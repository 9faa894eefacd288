"""`kubelab doctor --on existing` goes as far as it can, and says what is in the way."""

import pytest

from kubelab.clusters.existing import findings


@pytest.fixture
def look(mine, there, monkeypatch):
    monkeypatch.setattr(findings, "Access", lambda kubeconfig: there)
    return lambda: {finding.name: finding for finding in findings.report()}


def test_where_all_is_well_it_names_what_lessons_will_skip(look):
    found = look()
    assert [found[name].verdict for name in ("kubeconfig", "cluster", "namespace", "node shell")] == [
        "good", "good", "good", "limited",
    ]  # fmt: skip
    assert "caution" not in found


def test_it_ends_with_what_is_in_the_way(look, mine, there):
    there.denied.add("create pods")
    assert list(look()) == ["kubeconfig", "cluster", "namespace"]
    assert "ask for the role `edit`" in look()["namespace"].detail
    mine.unlink()
    assert [(name, each.verdict) for name, each in look().items()] == [("kubeconfig", "bad")]
