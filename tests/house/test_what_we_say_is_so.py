"""The README, the menu and the changelog agree with the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import kubelab
from kubelab.cli import cli
from tools.parity.table import BEGIN, END

ROOT = Path(__file__).parents[2]
README = re.sub(f"{BEGIN}.*{END}", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
"""Without what `tools.parity` writes there."""


def named(pattern: str, text: str) -> set[str]:
    return set(re.findall(pattern, text, flags=re.MULTILINE))


def targets() -> set[str]:
    return named(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text())


def test_the_readme_names_every_command_of_kubelab_and_no_other():
    assert named(r"(?:^\$ |[`(])kubelab ([a-z-]+)", README) == set(cli.commands)


def test_every_make_target_that_the_readme_names_is_on_the_menu():
    assert named(r"make ([a-z]+)", README) & targets() >= {"lab", "test", "bench"}
    assert named(r"[`$] ?make ([a-z]+)", README) <= targets()


def test_ci_runs_the_readmes_test_command_and_nothing_else():
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]
    assert commands == ['cd "$(dirname "$0")/.." && exec make test']
    assert "$ make test " in README


def test_the_menu_is_what_make_shows():
    shown = subprocess.run(["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True)
    assert named(r"^  make ([a-z-]+)", shown.stdout) == targets()


@pytest.mark.parametrize("link", sorted(named(r"\]\(([^)#:]+)\)", README)))
def test_what_the_readme_links_to_is_there(link):
    assert (ROOT / link).exists()


def test_every_variable_that_the_readme_names_is_read_somewhere():
    source = "\n".join(path.read_text() for path in (ROOT / "kubelab").rglob("*.py"))
    assert {name for name in named(r"\b(KUBELAB_[A-Z]+)\b", README) if name not in source} == set()


def test_the_changelog_tells_of_this_version():
    assert f"## {kubelab.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("script", ["scripts/setup", ".ci/run"])
def test_the_scripts_are_executable_shell(script):
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", path], check=True)
