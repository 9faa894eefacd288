"""A Binder session replayed: what Binder would build in a clean environment, launched by a plain user with nothing
allowed, on one processor. The build takes a minute or two.

Binder's image has a conda environment on Ubuntu; here it is a venv of a Python of this machine. Everything after that
is Binder's: the files of the commit and no others, `binder/requirements.txt`, `binder/postBuild`, `binder/start`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import Measure
from benchmarks.processes import memory
from kubelab.engine.state import StateDir

ROOT = Path(__file__).resolve().parents[1]
NOTHING = ROOT / "tests" / "privileges" / "nothing.py"
JOVYAN = 1000
LESSON = "notebooks/01-pods-are-ephemeral.ipynb"
BUILD_SECONDS, LAUNCH_SECONDS, LESSON_SECONDS = 900, 60, 180


class Session:
    """A checkout with its environment, and how to run something in it as Binder's user."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "jovyan"
        self.environment = folder / "environment"
        home = {"HOME": str(self.checkout), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8"}
        self.variables = {**home, "PATH": f"{self.environment}/bin:/usr/local/bin:/usr/bin:/bin"}

    @property
    def prefix(self) -> Sequence[str]:
        """One processor, user 1000, nothing allowed."""
        plain = ("setpriv", f"--reuid={JOVYAN}", f"--regid={JOVYAN}", "--clear-groups", "--inh-caps=-all")
        nothing = (f"{self.environment}/bin/python", str(self.checkout / NOTHING.relative_to(ROOT)))
        return ("taskset", "-c", "0", *(plain if os.getuid() == 0 else ()), *nothing)

    def start(self, *argv: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a command in the checkout."""
        return subprocess.Popen([*self.prefix, *argv], cwd=self.checkout, env=self.variables, **options)  # type: ignore[call-overload, no-any-return]


def main() -> None:
    """Build, launch, run lesson 1, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="kubelab-binder-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        session = build(folder)
        with launched(session) as (lab, lab_seconds, engine_seconds):
            most = lesson(session, lab)
        for each in (
            Measure("Binder: launch → JupyterLab answers", lab_seconds, "s"),
            Measure("Binder: launch → engine ready", engine_seconds, "s", 5, detail="one processor"),
            Measure("Binder: JupyterLab + engine + lesson 1", most / 1e6, "MB", 700, detail="PSS, at the most"),
        ):
            print(each, flush=True)


def build(folder: Path) -> Session:
    """The steps of the image, with the files of the last commit."""
    session = Session(folder)
    (folder / "tmp").mkdir(mode=0o777)
    (folder / "tmp").chmod(0o777)
    run = {"check": True, "timeout": BUILD_SECONDS, "stdout": subprocess.DEVNULL}
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", session.checkout], **run)  # type: ignore[call-overload]
    subprocess.run([sys.executable, "-m", "venv", session.environment], **run)  # type: ignore[call-overload]
    inside = {**run, "cwd": session.checkout, "env": {**os.environ, **session.variables}}
    pip = [session.environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", "binder/requirements.txt"], **inside)  # type: ignore[call-overload]
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{JOVYAN}:{JOVYAN}", session.checkout, session.environment], **run)  # type: ignore[call-overload]
    if session.start("binder/postBuild", stdout=subprocess.DEVNULL).wait(BUILD_SECONDS):
        raise SystemExit("binder/postBuild failed")
    return session


@contextmanager
def launched(session: Session) -> Iterator[tuple[subprocess.Popen[bytes], float, float]]:
    """A session: JupyterLab's process, seconds until it answers, seconds until the engine is ready."""
    port = _free_port()
    begin = time.monotonic()
    lab = session.start(
        *("binder/start", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *("--IdentityProvider.token=", "--ServerApp.port_retries=0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = engine = 0.0
        while not (answers and engine):
            passed = time.monotonic() - begin
            if passed > LAUNCH_SECONDS or lab.poll() is not None:
                raise SystemExit("the session did not come up")
            if not answers and _answers(port):
                answers = passed
            if not engine and _up(session):
                engine = passed
            time.sleep(0.05)
        yield lab, answers, engine
    finally:
        session.start("kubelab", "down", stdout=subprocess.DEVNULL).wait(60)
        lab.terminate()
        lab.wait(30)


def lesson(session: Session, lab: subprocess.Popen[bytes]) -> int:
    """The most memory (bytes, PSS) that JupyterLab, engine and kernel take together while lesson 1 is run."""
    runner = session.start(
        *("jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", LESSON),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    most, deadline = 0, time.monotonic() + LESSON_SECONDS
    while runner.poll() is None:
        if time.monotonic() > deadline:
            runner.kill()
            raise SystemExit("lesson 1 took too long")
        # Whoever runs the notebook stands for the browser; the kernel below it is the session's.
        kernel = memory(runner.pid)[0] - _own(runner.pid)
        most = max(most, memory(lab.pid)[0] + memory(_engine(session))[0] + kernel)
        time.sleep(0.2)
    if runner.returncode:
        raise SystemExit("lesson 1 failed")
    return most


def _own(pid: int) -> int:
    children = memory(pid)[0]
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return min(children, int(line.split()[1]) << 10)
    return 0


def _engine(session: Session) -> int:
    pid = StateDir(session.checkout / ".local/state/kubelab/kubelab").engine_pid()
    if pid is None:
        raise SystemExit("the engine ended while lesson 1 ran")
    return pid


def _up(session: Session) -> bool:
    """The kubeconfig is written early; `kubelab up` ends, and its output is there, when the cluster is ready."""
    said = Path(session.variables["TMPDIR"], "kubelab-up.log")
    return said.exists() and bool(said.read_text().strip())


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
