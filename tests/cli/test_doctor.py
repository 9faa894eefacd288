from __future__ import annotations

import pytest
from click.testing import CliRunner

from kubelab.cli import cli
from kubelab.engine import doctor
from kubelab.engine.doctor import Finding

GOOD = Finding("packets", "user", "good", "works, and is what `kubelab up` takes")
LACKS = Finding("tools", "dig", "limited", "missing: no dig in toolbox pods", package="bind9-dnsutils")
BAD = Finding("packets", "interposed", "bad", "this is not Linux", "Use Linux.")


@pytest.mark.parametrize(
    ("findings", "code", "verdict"),
    [([GOOD, LACKS], 0, "The engine can run here."), ([BAD], 1, "The engine cannot run here")],
)
def test_the_exit_status_is_the_verdict(monkeypatch, findings, code, verdict):
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == code
    assert verdict in result.output


def test_a_finding_is_shown_with_its_cost_and_the_command_that_mends_it(monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: [GOOD, LACKS])
    output = CliRunner().invoke(cli, ["doctor"]).output
    assert "○  dig  missing: no dig in toolbox pods" in output
    assert "apt-get install -y bind9-dnsutils" in output


def test_a_long_reason_is_shown_whole(monkeypatch):
    reason = "refused: " + "/a/very/long/path" * 12
    monkeypatch.setattr(doctor, "examine", lambda: [BAD._replace(detail=reason)])
    output = CliRunner().invoke(cli, ["doctor"]).output
    assert reason in output.replace("\n", "").replace(" ", "").replace("refused:", "refused: ")
