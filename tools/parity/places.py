"""The clusters that lessons are run on: how each is brought up, and with which privileges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.parity.shared import share

ROOT = Path(__file__).resolve().parents[2]
PLAIN_UID = 51234
"""Nobody's: a user without an entry in /etc/passwd, as containers have them."""
SOMEBODY_ELSES = "classroom.yaml"
NOTHING = ROOT / "tests" / "privileges" / "nothing.py"
UP_SECONDS = 1800
"""For kind, which may have to fetch a gigabyte; the others take seconds."""
_ASK = """
import json
from kubelab.clusters import find
cluster = find()
print(json.dumps([sorted(cluster.capabilities), dict(getattr(cluster, "lacks", {}))]))
"""


class NotThere(Exception):
    """A cluster cannot be had here. The message says why."""


@dataclass
class Place:
    """A cluster to be, and whoever runs commands there."""

    key: str
    head: str
    """For the table."""
    up: Sequence[str] = ("up",)
    """What `kubelab` is told."""
    environment: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False
    """As a plain user, whoever we are."""
    nothing: bool = False
    """With nothing allowed, as on Binder."""
    before: Callable[[Running], str] = lambda _: ""
    """What has to be there first; returns what has to be known of it."""


@dataclass
class Running:
    """A cluster that is up, in a home of its own."""

    place: Place
    home: Path
    name: str = field(default_factory=lambda: f"parity-{uuid.uuid4().hex[:6]}")
    note: str = ""
    others: list[str] = field(default_factory=list)
    """Clusters in the same home that have to be taken down too."""

    @property
    def prefix(self) -> list[str]:
        """What takes privileges away."""
        away: list[str] = []
        if self.place.plain and os.getuid() == 0:
            away += ["setpriv", f"--reuid={PLAIN_UID}", f"--regid={PLAIN_UID}", "--clear-groups", "--inh-caps=-all"]
        return [*away, sys.executable, str(NOTHING)] if self.place.nothing else away

    def environment(self, name: str = "") -> dict[str, str]:
        """Of commands here: nothing of ours but what every program needs."""
        kept = ("PATH", "LANG", "DOCKER_HOST", "KIND_EXPERIMENTAL_PROVIDER", "KUBEBUILDER_ASSETS", "CONDA_PREFIX")
        return {
            **{key: os.environ[key] for key in kept if key in os.environ},
            "HOME": str(self.home),
            "KUBELAB_HOME": str(self.home / "state"),
            "KUBECONFIG": str(self.home / SOMEBODY_ELSES),  # never that of whoever runs this
            "KUBELAB_NAME": name or self.name,
            "KUBELAB_SEED": "reference",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.place.environment,
        }

    def run(
        self, *argv: str | Path, seconds: float, name: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Python with these arguments, in the checkout. Raises `NotThere` when it takes too long."""
        try:
            return subprocess.run(
                [*self.prefix, sys.executable, *map(str, argv)], cwd=ROOT, stdin=subprocess.DEVNULL,
                env=self.environment(name) | environment, capture_output=True, text=True, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NotThere(f"`{' '.join(map(str, argv))}` did not end within {seconds:g} s") from error

    def kubelab(self, *argv: str, name: str = "", seconds: float = UP_SECONDS) -> str:
        """``kubelab ARGV…``. Raises `NotThere` with its sentence when it fails."""
        done = self.run("-m", "kubelab.cli", *argv, seconds=seconds, name=name)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            raise NotThere(last.removeprefix("kubelab: "))
        return done.stdout

    def begin(self) -> None:
        """Bring it up. Raises `NotThere`."""
        self.home.mkdir(parents=True)
        if self.place.plain and os.getuid() == 0:
            os.chown(self.home, PLAIN_UID, PLAIN_UID)
        if self.run("-c", "import kubelab, nbval", seconds=60).returncode:
            raise NotThere("a plain user cannot reach this Python or this checkout")
        self.note = self.place.before(self)
        self.kubelab(*self.place.up)

    def can(self) -> tuple[frozenset[str], dict[str, str]]:
        """The cluster's capabilities, and why it lacks others where it says so. Raises `NotThere`."""
        done = self.run("-c", _ASK, seconds=60)
        if done.returncode:
            raise NotThere((done.stderr.strip().splitlines() or ["it does not say what it can do"])[-1])
        capabilities, lacks = json.loads(done.stdout)
        return frozenset(capabilities), lacks

    def end(self) -> None:
        """Take all down, unless it is."""
        if not self.home.exists():
            return
        for name in (self.name, *self.others):
            self.run("-m", "kubelab.cli", "down", seconds=300, name=name)
        shutil.rmtree(self.home, ignore_errors=True)


def _somebody_elses(running: Running) -> str:
    """An embedded engine that only one account's one namespace is used of."""
    base = f"{running.name}-base"
    running.others.append(base)
    running.kubelab("up", name=base)
    admin = Path(running.kubelab("kubeconfig", name=base).strip())
    limited = share(admin, "team-blue", running.home / SOMEBODY_ELSES)
    rights = "whose rights end with one namespace" if limited else "whose rights this engine does not limit"
    return f"Not a cluster of a third kind: an embedded engine, used by `--on existing` as an account {rights}"


def places() -> list[Place]:
    """All that are known, in the table's order."""
    as_root = [Place("root", "embedded, as root", environment={"KUBELAB_TIER": "root"})] if os.getuid() == 0 else []
    return [
        *as_root,
        Place("user", "embedded, as a plain user", environment={"KUBELAB_TIER": "user"}, plain=True),
        Place("interposed", "embedded, nothing allowed", environment={"KUBELAB_TIER": "interposed"},
              plain=True, nothing=True),
        Place("upstream", "embedded, upstream control plane", up=("up", "--control-plane", "upstream")),
        Place("kind", "kind", up=("up", "--on", "kind")),
        Place("existing", "existing", up=("up", "--on", "existing"), before=_somebody_elses),
    ]  # fmt: skip
