"""scripts/setup on a machine whose tools are pretended: nothing is installed, nothing is fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "scripts" / "setup"
PRETENDED_ID = "#!/bin/sh\necho 1000\n"
PRETENDED_PYTHON = f"""#!/bin/sh
# Makes a .venv with a pip that writes down what it is asked for.
case "$*" in
*"-m venv"*) mkdir -p .venv/bin; echo "$PWD/.venv" >.venv/pyvenv.cfg; cp "$0" .venv/bin/python; echo made >>log ;;
*"-m pip "*install*) echo "$*" >>log ;;
*"$LACKS"*) exit 1 ;;
*) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def setup(tmp_path: Path):
    """Runs ``scripts/setup WHAT`` in a checkout as a plain user; its folder is ``tmp_path / "checkout"``."""
    checkout = tmp_path / "a checkout"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "scripts" / "setup").symlink_to(SETUP)
    (checkout / "pyproject.toml").write_text("[project]\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"id": PRETENDED_ID, "python": PRETENDED_PYTHON}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(what: str = "lab", lacks: str = "nothing at all", folder: Path = checkout):
        environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHON": str(programs / "python"),
            "LACKS": lacks,
        }
        return subprocess.run(
            [folder / "scripts" / "setup", what],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )

    run.checkout = checkout
    run.log = lambda folder=checkout: (folder / "log").read_text().splitlines() if (folder / "log").exists() else []
    return run


def test_the_second_time_there_is_nothing_to_do(setup):
    assert setup().returncode == 0
    assert len(setup.log()) == 2
    assert setup().returncode == 0
    assert len(setup.log()) == 2


def test_who_can_run_the_tests_can_run_the_lab_but_not_the_other_way_round(setup):
    setup("lab")
    setup("test")
    assert [".[test,browser]" in line for line in setup.log()[1:]] == [False, True]
    setup("lab")
    assert len(setup.log()) == 3


def test_without_venv_and_pip_one_command_gets_all_that_is_missing(setup):
    done = setup(lacks="venv")
    assert done.returncode == 1
    commands = [line for line in done.stderr.splitlines() if "apt-get" in line]
    assert len(commands) == 1
    assert commands[0].endswith("python3-venv")
    assert commands[0].startswith("kubelab:     sudo apt-get update && sudo apt-get install -y ")
    assert not (setup.checkout / ".venv").exists()


def test_without_ensurepip_the_machines_own_pip_fills_the_environment(setup):
    done = setup(lacks="ensurepip")
    assert done.returncode == 0
    assert "python3-venv" not in done.stderr
    assert "--python .venv/bin/python" in setup.log()[1]


def test_a_checkout_that_was_moved_gets_an_environment_of_its_new_place(setup):
    setup()
    moved = setup.checkout.rename(setup.checkout.with_name("moved"))
    assert setup(folder=moved).returncode == 0
    assert setup.log(moved).count("made") == 2


def test_two_at_once_take_turns(setup):
    import fcntl

    with open(SETUP) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        command = [setup.checkout / "scripts" / "setup", "lab"]
        with subprocess.Popen(command, cwd=setup.checkout, stderr=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHON": "/nowhere"}) as waiting:  # fmt: skip
            assert "waiting for it" in waiting.stderr.readline()
            waiting.terminate()
