from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kubelab.engine.state import AlreadyRunning, StateDir, StateError, check_name, clusters, home, state_of


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "home" / "demo")
    state.create()
    return state


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_the_first_of_kubelab_home_xdg_and_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("KUBELAB_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert home() == Path("/home/someone/.local/state/kubelab")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert home() == Path("/xdg/kubelab")
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path))
    assert state_of("demo").root == tmp_path / "demo"


def test_without_any_home_the_variable_that_helps_is_named():
    code = "import os; os.setuid(54321); from kubelab.engine.state import home; print(home())"
    if os.getuid() != 0:
        pytest.skip("only root can become a user without a home")
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": "/bin"}, capture_output=True, text=True)
    assert "StateError: You have no home directory: set KUBELAB_HOME" in done.stderr


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a-", "a b", "a" * 41, "ä"])
def test_a_bad_name_is_refused_with_what_is_allowed(name):
    with pytest.raises(StateError, match="lower-case letters"):
        check_name(name)


def test_directories_and_files_are_the_owners_alone(state):
    state.write(state.token, "secret")
    assert mode(state.root) == mode(state.pki) == mode(state.root.parent) == 0o700
    assert mode(state.token) == 0o600
    assert sorted(path.name for path in state.root.iterdir()) == ["logs", "pki", "token", "volumes"]


def test_whatever_the_shell_lets_others_do_the_directories_are_the_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "open" / "below" / "home"))
    before = os.umask(0)
    try:
        (tmp_path / "open").mkdir(mode=0o777)
        state = state_of("demo")
        state.create()
    finally:
        os.umask(before)
    made = (state.root.parent.parent, state.root.parent, state.root, state.pki, state.volumes, state.logs)
    assert {mode(path) for path in made} == {0o700}
    state.root.chmod(0o777)
    state.create()
    assert mode(state.root) == 0o700


@pytest.mark.parametrize("trap", ["a directory", "a link", "a file"])
def test_what_somebody_else_has_put_in_its_place_is_neither_used_nor_believed(tmp_path, monkeypatch, trap):
    """In a KUBELAB_HOME where everybody may write, with a token and a socket of the other's choice in it."""
    state, theirs = StateDir(tmp_path / "demo"), tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    if trap == "a link":
        state.root.symlink_to(theirs)
    elif trap == "a file":
        state.root.touch()
    elif os.getuid() == 0:
        state.root.mkdir(mode=0o755)
        os.chown(state.root, 51234, 51234)
    else:
        pytest.skip("only root can make a directory of another user's")
    with pytest.raises(StateError, match=r"no directory of yours.* set KUBELAB_HOME"):
        state.create()
    assert mode(theirs) == 0o755 and list(theirs.iterdir()) == []
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 51235)
    with pytest.raises(StateError, match="no directory of yours"):
        state_of("demo")


def test_a_write_for_which_there_is_no_room_leaves_what_was_there(state, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    state.write(state.token, "old")
    monkeypatch.setattr(Path, "rename", no_room)
    with pytest.raises(StateError, match=r"cannot be kept in .* \(No space left on device\): set KUBELAB_HOME"):
        state.write(state.token, "new")
    assert state.token.read_text() == "old"
    assert sorted(path.name for path in state.root.iterdir()) == ["logs", "pki", "token", "volumes"]


def test_a_home_that_cannot_be_written_names_the_variable_that_helps():
    with pytest.raises(StateError, match=r"^The cluster's state cannot be kept .* KUBELAB_HOME") as failure:
        StateDir(Path("/proc/kubelab/demo")).create()
    assert "\n" not in str(failure.value)


def test_only_one_engine_at_a_time_and_its_pid_is_forgotten_with_it(state):
    assert state.engine_pid() is None
    held = state.claim()
    assert state.engine_pid() == os.getpid()
    with pytest.raises(AlreadyRunning):
        state.claim()
    os.close(held)
    assert state.engine_pid() is None
    assert state.pid.read_text() == f"{os.getpid()}\n"


def test_the_pid_of_an_engine_that_was_killed_is_not_believed(state):
    code = (
        "import sys; from pathlib import Path; from kubelab.engine.state import StateDir;"
        "StateDir(Path(sys.argv[1])).claim(); print('here', flush=True); sys.stdin.read()"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", code, state.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with engine:
        assert engine.stdout.readline() == "here\n"
        assert state.engine_pid() == engine.pid
        engine.kill()
    assert state.engine_pid() is None


def test_the_second_to_change_a_cluster_waits_for_the_first_even_when_that_one_removes_it(state):
    order = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with state.changing():
            order.append("second")
            assert state.exists()

    with state.changing():
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        order.append("first")
        state.clean()
    thread.join()
    assert order == ["first", "second"]


def test_a_cluster_is_listed_from_its_first_start_until_it_is_cleaned(state, monkeypatch):
    monkeypatch.setenv("KUBELAB_HOME", str(state.root.parent))
    assert clusters() == []
    with state.changing():
        pass
    assert clusters() == ["demo"]
    state.clean()
    assert clusters() == []
    state.clean()
    assert list(state.root.parent.iterdir()) == []
