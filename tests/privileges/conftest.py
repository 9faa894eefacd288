"""Three that may do different things, each with a home and a copy of the checkout that it may write to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PLAIN_UID = 51234
"""Nobody's: a user without an entry in /etc/passwd, as containers have them."""
NAMESPACES_WORK = ["unshare", "--user", "--net", "--map-root-user", "true"]
CARELESS = "import os, sys; os.umask(0); os.execv(sys.executable, [sys.executable, '-m', 'kubelab.cli', *sys.argv[1:]])"
"""From a shell that keeps nothing from others."""
COPIED = ("kubelab", "notebooks", "solutions", "exercises", "tests", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Someone:
    """One who runs commands: ``prefix`` takes the privileges away."""

    name: str
    tier: str
    prefix: Sequence[str]
    python: Path
    checkout: Path
    home: Path

    def run(self, *argv: str | Path, timeout_seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments in the checkout's copy."""
        keep = {name: os.environ[name] for name in ("LANG", "PATH") if name in os.environ}
        environment = keep | {
            "HOME": str(self.home),
            "KUBELAB_HOME": str(self.home / "state"),
            "TMPDIR": str(self.home / "tmp"),  # a kernel that is killed cannot clean up
            "PYTHONPATH": str(self.checkout),
            "KUBELAB_SEED": "reference",
            "KUBELAB_PROGRESS": str(self.home / "progress"),
        }
        return subprocess.run(
            [*self.prefix, self.python, *argv], cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_seconds,
        )  # fmt: skip

    def kubelab(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run ``kubelab ARGV…``."""
        return self.run("-m", "kubelab.cli", *argv)


@pytest.fixture(scope="session")
def open_ground() -> Iterator[Path]:
    """A directory that everybody can reach."""
    with tempfile.TemporaryDirectory(prefix="kubelab-privileges-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def plain_prefix() -> Sequence[str]:
    """What makes a plain user of us; nothing when we are one."""
    if os.getuid() != 0:
        return ()
    return ("setpriv", f"--reuid={PLAIN_UID}", f"--regid={PLAIN_UID}", "--clear-groups", "--inh-caps=-all")


@pytest.fixture(scope="session")
def plain_python(open_ground: Path, plain_prefix: Sequence[str]) -> Path:
    """This environment's Python, where a plain user can reach it."""
    here = Path(sys.prefix)
    python = here / "bin" / "python"
    if subprocess.run([*plain_prefix, python, "-c", "import aiohttp"], cwd="/", capture_output=True).returncode == 0:
        return python
    link_or_copy = shutil.copy2 if here.stat().st_dev != open_ground.stat().st_dev else os.link
    shutil.copytree(here, open_ground / "venv", symlinks=True, copy_function=link_or_copy)
    (open_ground / "venv").chmod(0o755)
    return open_ground / "venv" / "bin" / "python"


def settle(ground: Path, name: str, uid: int) -> tuple[Path, Path]:
    """A home and a copy of the checkout that belong to ``uid``."""
    home, checkout = ground / name / "home", ground / name / "kubelab"
    (home / "tmp").mkdir(parents=True)
    (home / "state").mkdir()
    (home / "state").chmod(0o777)  # what is in it has to be private all the same
    checkout.mkdir()
    for each in COPIED:
        if (CHECKOUT / each).is_dir():
            shutil.copytree(CHECKOUT / each, checkout / each, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        elif (CHECKOUT / each).exists():
            shutil.copy(CHECKOUT / each, checkout)
    for path in (home, *home.iterdir(), checkout, *checkout.rglob("*")):
        os.chown(path, uid, uid if uid != os.getuid() else -1)
    return home, checkout


@pytest.fixture(scope="session")
def everyone(open_ground: Path, plain_prefix: Sequence[str], plain_python: Path) -> Iterator[dict[str, Someone]]:
    """All of them by name, root only where we are root; all processes of theirs are gone afterwards."""
    found: dict[str, Someone] = {}
    if os.getuid() == 0:
        home, checkout = settle(open_ground, "root", 0)
        found["root"] = Someone("root", "root", (), Path(sys.executable), checkout, home)
    plain_uid = PLAIN_UID if os.getuid() == 0 else os.getuid()
    for name, tier in (("plain user", "user"), ("nothing allowed", "interposed")):
        home, checkout = settle(open_ground, name.replace(" ", "-"), plain_uid)
        nothing = (str(plain_python), str(checkout / "tests/privileges/nothing.py")) if tier == "interposed" else ()
        found[name] = Someone(name, tier, (*plain_prefix, *nothing), plain_python, checkout, home)
    yield found
    for me in found.values():
        me.kubelab("down")


@pytest.fixture(scope="module", params=["root", "plain user", "nothing allowed"])
def someone(request: pytest.FixtureRequest, everyone: dict[str, Someone]) -> Someone:
    """Root, a plain user, and one to whom nothing is allowed."""
    if request.param not in everyone:
        pytest.skip("only root can try what root may do")
    return everyone[request.param]


@pytest.fixture(scope="module")
def cluster(someone: Someone) -> Someone:
    """A cluster that was started without a word about how."""
    if someone.tier == "user" and subprocess.run([*someone.prefix, *NAMESPACES_WORK], capture_output=True).returncode:
        pytest.skip("this machine refuses user namespaces to plain users; 'nothing allowed' is what they have here")
    up = someone.run("-c", CARELESS, "up")
    assert up.returncode == 0, up.stdout
    return someone
