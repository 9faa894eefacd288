"""Which tier works here, and what is said when one does not."""

from __future__ import annotations

import os
import shutil

import pytest

from kubelab.engine.network.agent.backend import TierUnusable
from kubelab.engine.network.agent.trial import _load_rules
from kubelab.engine.network.launch import launch
from kubelab.engine.network.start import NoNetwork, start_network
from kubelab.engine.network.tiers import TIERS, forced_tier, try_tiers


async def test_a_forced_tier_that_there_is_not_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBELAB_TIER", "docker")
    with pytest.raises(NoNetwork, match="KUBELAB_TIER is 'docker', but the tiers are root, user, interposed"):
        await start_network(tmp_path)


def test_an_empty_variable_forces_nothing(monkeypatch):
    monkeypatch.setenv("KUBELAB_TIER", "")
    assert forced_tier() is None


def test_every_tier_reports_and_one_that_does_not_work_says_why_and_what_lifts_it():
    reports = try_tiers()
    assert tuple(report.name for report in reports) == TIERS
    for report in reports:
        assert report.works or (report.reason and report.remedy)


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a plain user")
async def test_root_is_refused_to_a_plain_user(tmp_path):
    with pytest.raises(NoNetwork, match="this is a plain user; to lift that: run as root"):
        await start_network(tmp_path, "root")


def test_without_iptables_the_trial_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert _load_rules(-1, "") == ("iptables-restore is not installed", "install iptables (apt-get install iptables)")


def test_an_agent_that_breaks_is_reported_with_its_last_words(monkeypatch, tmp_path):
    monkeypatch.setattr("kubelab.engine.network.launch._CODE", "raise SystemExit('broken on purpose')")
    with pytest.raises(TierUnusable, match="the network agent failed: broken on purpose"):
        launch("user", tmp_path)
