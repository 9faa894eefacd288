"""From a fork of the agent to a program: stdio, signals, terminal, place, then exec or a built-in entry."""

from __future__ import annotations

import fcntl
import gc
import importlib
import io
import os
import resource
import signal
import socket
import sys
import termios
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from kubelab.engine.network.agent import messages, title
from kubelab.engine.network.agent.backend import TOOL_PATH, Birth
from kubelab.engine.network.agent.syscalls import close_all_but
from kubelab.engine.network.contract import Program, StartFailed


def become(
    program: Program, birth: Birth, stdio: Sequence[int | None], report: socket.socket, open_files: tuple[int, int]
) -> NoReturn:
    """Turn this freshly forked child into ``program``. Failures go over ``report``; its silent close is success."""
    try:
        _forget_the_agent(open_files)
        _stdio(stdio, program.tty)
        birth.enter(report)
        close_all_but(0, 1, 2, report.fileno())
        program = birth.adapt(program)
        _change_directory(program.cwd)
        birth.seal(report)
        if program.entry is None:
            _execute(program)
        _call(program, report)
    except StartFailed as failure:
        _fail(report, str(failure), failure.code)
    except BaseException as error:  # whatever it is, it must reach the engine, and this fork must not outlive it
        _fail(report, f"{type(error).__name__}: {error}", 128)


def _fail(report: socket.socket, message: str, code: int) -> NoReturn:
    messages.send(report, {"failed": message, "code": code})
    os._exit(code)


def _forget_the_agent(open_files: tuple[int, int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as badness:
        badness.write("1000")  # as kubelet has it for BestEffort: short of memory, a pod goes before the agent
    os.setsid()
    os.umask(0o022)


def _stdio(stdio: Sequence[int | None], tty: bool) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    # first out of the way of 0, 1 and 2, so that none is overwritten before it is copied
    sources = [fcntl.fcntl(null if fd is None else fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in stdio]
    for target, source in enumerate(sources):
        os.dup2(source, target)
    if tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _change_directory(path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        raise StartFailed(f"cannot change to the working directory {path!r}: {error.strerror}") from error


def _execute(program: Program) -> NoReturn:
    name = program.argv[0]
    if "/" in name:
        candidates = [name]
    else:
        path = program.env.get("PATH") or TOOL_PATH
        candidates = [os.path.join(folder or ".", name) for folder in path.split(":")]
    refusal: OSError | None = None
    for candidate in candidates:
        try:
            os.execve(candidate, list(program.argv), program.env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refusal = refusal or error
    if refusal is not None:
        raise StartFailed(f'exec: "{name}": {os.strerror(refusal.errno or 0).lower()}', 126)
    missing = "no such file or directory" if "/" in name else "executable file not found in $PATH"
    raise StartFailed(f'exec: "{name}": {missing}', 127)


def _call(program: Program, report: socket.socket) -> NoReturn:
    module, _, name = (program.entry or "").partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StartFailed(f"cannot load the built-in program {program.entry!r}: {error}", 127) from error
    os.environ.clear()
    os.environ.update(program.env)
    sys.argv = list(program.argv)
    title.set_title(program.argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log is read line by line
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(
        signal.SIGPIPE, signal.SIG_IGN
    )  # as in every Python program: a caller that leaves is no reason to die
    gc.freeze()  # what is shared with the agent stays shared: the collector does not write to it
    report.close()
    code = 1
    try:
        result = function(list(program.argv))
        code = result if isinstance(result, int) else 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code & 0xFF)
