"""Whatever is allowed, the cluster comes up, finds its tier by trying, and teaches the same lessons."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(960)]

NAMESPACES_WORK = ["unshare", "--user", "--net", "--map-root-user", "true"]


@pytest.fixture(scope="module")
def cluster(someone):
    """A cluster that was started without a word about how."""
    if someone.tier == "user" and subprocess.run([*someone.prefix, *NAMESPACES_WORK], capture_output=True).returncode:
        pytest.skip("this machine refuses user namespaces to plain users; 'nothing allowed' is what they have here")
    up = someone.kubelab("up")
    assert up.returncode == 0, up.stdout
    return someone


def test_the_tier_is_found_by_trying(cluster):
    if cluster.tier == "root" and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("root may not make namespaces on this machine")
    facts = cluster.run("-c", "from kubelab.clusters import find; print(find().facts()['tier'])")
    assert facts.stdout == f"{cluster.tier}\n"


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_every_lesson_gives_its_stored_outputs(cluster, folder):
    if cluster.is_us:
        pytest.skip("tests/lessons runs them with these privileges")
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "--timeout=300"]
    done = cluster.run("-m", "pytest", *options, folder, timeout_seconds=900)
    assert done.returncode == 0, done.stdout


def test_down_leaves_no_process_and_no_file(cluster):
    down = cluster.kubelab("down")
    assert down.returncode == 0, down.stdout
    assert list((cluster.home / "state").iterdir()) == []
    assert [line for line in command_lines() if str(cluster.home) in line] == []


def command_lines() -> list[str]:
    """What runs on this machine, with its environment where that may be read."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                found.append((process / name).read_bytes().decode(errors="replace"))
    return found
