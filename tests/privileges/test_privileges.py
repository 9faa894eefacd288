"""Whatever is allowed, the cluster comes up, finds its tier by trying, and teaches the same lessons."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import pytest

LESSONS_SECONDS = 2400

pytestmark = [pytest.mark.engine, pytest.mark.timeout(2 * LESSONS_SECONDS + 60)]


def test_the_tier_is_found_by_trying(cluster):
    if cluster.tier == "root" and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("root may not make namespaces on this machine")
    facts = cluster.run("-c", "from kubelab.clusters import find; print(find().facts()['tier'])")
    assert facts.stdout == f"{cluster.tier}\n"


@pytest.fixture(scope="session")
def runs(everyone):
    """Everyone's lessons: name → what is to come. Lessons wait more than they work, so everyone's run at once."""
    with ThreadPoolExecutor(max_workers=len(everyone)) as pool:
        yield {each.name: pool.submit(run_lessons, each) for each in everyone.values()}


def run_lessons(someone):
    """Every notebook with these privileges, one after the other: folder → how that ended."""
    someone.kubelab("up")
    ends = {}
    for folder in ("notebooks", "solutions"):
        ends[folder] = run_notebooks(someone, [folder])
        someone.kubelab("reset")  # a lesson leaves its pods for whoever wants to look on
    return ends


def run_notebooks(someone, which):
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "--timeout=300"]
    return someone.run("-m", "pytest", *options, *which, timeout_seconds=LESSONS_SECONDS)


def in_doubt(done):
    """The notebooks that failed, by what pytest said."""
    return sorted(set(re.findall(r"^FAILED (\S+\.ipynb)::", done.stdout, re.MULTILINE)))


@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_every_lesson_gives_its_stored_outputs(cluster, folder, runs):
    """All tiers' lessons and the rest of the suite share the processors, and some lessons measure: what differs is run
    again when all others' have ended, and differs then or it was for want of time. Both are told."""
    done = runs[cluster.name].result()[folder]
    if doubtful := in_doubt(done):
        wait(runs.values())
        print(done.stdout)
        warn_of(doubtful, cluster.name)
        cluster.kubelab("reset")
        done = run_notebooks(cluster, doubtful)
    assert done.returncode == 0, done.stdout


def warn_of(notebooks, who):
    sys.stderr.write(f"{who}: {', '.join(notebooks)} differed beside the others, and ran again alone\n")


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
