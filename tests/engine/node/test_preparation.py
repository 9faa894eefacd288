from __future__ import annotations

from pathlib import Path

from kubelab.engine.node.preparation import hidden_in_pods


def test_a_checkout_in_tmp_is_mounted_once_and_one_at_home_not_at_all():
    ours = [Path("/tmp/kubelab/.venv"), Path("/usr"), Path("/tmp/kubelab"), Path("/home/eve/tmp/kubelab")]
    assert hidden_in_pods(ours) == [Path("/tmp/kubelab")]


def test_a_folder_is_mounted_under_every_name_that_leads_through_tmp(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert hidden_in_pods([link]) == ([link, real] if tmp_path.is_relative_to("/tmp") else [])


def test_tmp_itself_stays_the_pods_own():
    assert hidden_in_pods([Path("/tmp")]) == []
