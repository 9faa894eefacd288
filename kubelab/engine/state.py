"""Where a cluster keeps what outlives its process: one private directory a cluster.

Below ``$KUBELAB_HOME``, else ``$XDG_STATE_HOME/kubelab``, else ``~/.local/state/kubelab``. Two locks, both
``flock`` (the kernel lets go of them when their holder dies, however it dies):

``lock``        held while somebody starts, heals or stops the cluster
``engine.pid``  held by the engine as long as it lives, so a pid in it is never a stranger's

Standard library only: a re-attaching client imports this.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_NAME = 40
"""Characters; ``NAME-control-plane`` must still be a DNS label and a host name."""


class StateError(Exception):
    """The state directory cannot be used. The message is one sentence and says what to do."""


class AlreadyRunning(StateError):
    """Another engine holds this state directory."""


def home() -> Path:
    """The directory that holds every cluster's state. Raises `StateError` where there is no home at all."""
    if chosen := os.environ.get("KUBELAB_HOME"):
        return Path(chosen).expanduser().absolute()
    if xdg := os.environ.get("XDG_STATE_HOME"):
        return Path(xdg).absolute() / "kubelab"
    try:
        return Path("~/.local/state/kubelab").expanduser().absolute()
    except RuntimeError:
        raise StateError("You have no home directory: set KUBELAB_HOME to a directory that you may write to.") from None


def check_name(name: str) -> str:
    """The name itself when a cluster may be called so. Raises `StateError`."""
    if len(name) > LONGEST_NAME or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
        raise StateError(
            f"A cluster cannot be called {name!r}: take lower-case letters, digits and '-', "
            f"{LONGEST_NAME} characters at most, with a letter or digit first and last."
        )
    return name


def state_of(name: str) -> StateDir:
    """The state directory of the cluster of this name; nothing is created.

    Raises `StateError` for a bad name, and for a directory that somebody else has put there: what it holds would be
    believed. Root may end what others have started.
    """
    state = StateDir(home() / check_name(name))
    if os.geteuid() != 0:
        state.check_owner()
    return state


def clusters() -> list[str]:
    """The names of the clusters that have state here, sorted."""
    with suppress(OSError):
        return sorted(entry.name for entry in home().glob("[!.]*") if StateDir(entry).exists())
    return []


class StateDir:
    """One cluster's directory (0700) with its files (0600)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "lock"
        self.pid = root / "engine.pid"
        self.control = root / "control.sock"
        self.kubeconfig = root / "kubeconfig"
        self.token = root / "token"
        self.pki = root / "pki"
        self.store = root / "store.sqlite3"
        self.provider = root / "provider"
        """On what the cluster is, where that is not the embedded engine."""
        self.proxy_mode = root / "proxy-mode"
        self.etcd = root / "etcd"
        """Where the real control plane keeps the objects."""
        self.loopback = root / "loopback.json"
        self.log = root / "engine.log"
        self.egress = root / "egress.sock"
        """Through which the real API server reaches the cluster's network."""
        self.component_logs = root / "control-plane-logs"
        self.volumes = root / "volumes"
        """What pods mount; made by the node agents."""
        self.logs = root / "logs"
        """What containers print."""

    def __repr__(self) -> str:
        return f"StateDir({str(self.root)!r})"

    def exists(self) -> bool:
        """Whether a cluster was ever started here and not taken down."""
        return self.lock.exists()

    def create(self) -> None:
        """Make the directories. Raises `StateError` where that is not allowed."""
        self._make_root()
        self.check_owner()
        try:
            for directory in (self.root, self.pki, self.volumes, self.logs):
                self.make_private(directory)
        except OSError as error:
            raise self._unusable(error) from error

    def check_owner(self) -> None:
        """Raises `StateError` when what is there is no directory of ours."""
        try:
            found = self.root.lstat()
        except OSError:  # nothing is there, or nothing can be: whoever wants to write is told so
            return
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise StateError(
                f"{self.root} is no directory of yours, so no cluster is kept there: "
                "remove it, or set KUBELAB_HOME to a directory that only you may write to."
            )

    def make_private(self, directory: Path) -> None:
        """Make a directory in it, for its owner only. Raises OSError."""
        directory.mkdir(mode=0o700, exist_ok=True)
        directory.chmod(0o700)

    def _make_root(self) -> None:
        try:
            for folder in reversed(self.root.parents):
                folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileExistsError):  # not exist_ok, which looks again and finds it gone when `clean` runs
                self.root.mkdir(mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def write(self, path: Path, content: str | bytes) -> None:
        """Replace a file in one step, readable by its owner only. Raises `StateError`."""
        data = content.encode() if isinstance(content, str) else content
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            fresh.rename(path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise self._unusable(error) from error

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the cluster's lock; whoever comes second waits. Raises `StateError`.

        ``clean`` takes the lock file away, so a lock that was waited for may be that of a directory that is gone;
        it is taken again then.
        """
        held = -1
        while held < 0:
            self._make_root()
            try:
                held = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(held, fcntl.LOCK_EX)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unusable(error) from error
            if not _same_file(held, self.lock):
                os.close(held)
                held = -1
        try:
            yield
        finally:
            os.close(held)

    def claim(self) -> int:
        """Take the engine's place, and write its pid. Returns the file descriptor that holds it.

        The place is free again when the descriptor closes: keep it as long as the engine lives. Raises
        `AlreadyRunning` and `StateError`.
        """
        held = -1
        try:
            held = os.open(self.pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(held, 0)
            os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            if held >= 0:
                os.close(held)
            if isinstance(error, BlockingIOError):
                why = f"An engine runs already in {self.root}; use it, or `kubelab down` first."
                raise AlreadyRunning(why) from None
            raise self._unusable(error) from error
        return held

    def engine_pid(self) -> int | None:
        """The pid of the living engine; None when none lives, whatever the file says."""
        try:
            file = os.open(self.pid, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(file, 32, 0).strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(file)
        return None

    def clean(self) -> None:
        """Take the directory away with all that is in it; quiet when it is gone. Raises `StateError`.

        It is renamed first, so that whoever starts anew meanwhile starts in a fresh directory.
        """
        doomed = self.root.with_name(f".{self.root.name}.{os.getpid()}")
        try:
            self.root.rename(doomed)
            shutil.rmtree(doomed)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(f"{self.root} cannot be removed ({error.strerror}); remove it by hand.") from error

    def _unusable(self, error: OSError) -> StateError:
        return StateError(
            f"The cluster's state cannot be kept in {self.root} ({error.strerror}): "
            f"set KUBELAB_HOME to a directory that you may write to."
        )


def _same_file(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
