"""A pod's own root directory: the machine's files, read-only, with the pod's own on top.

::

    /            a private tmpfs            /proc, /sys    of the pod's own PID and network namespace
    /usr, /home… the machine's, read-only   /dev           the harmless devices, own pts and shm
    /tmp, /run   the pod's own, writable    Program.files, then Program.mounts, at any path
    the clusters' state: hidden

Everything happens in a mount namespace of the pod's own, so nothing is seen outside and nothing has to be undone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kubelab.engine.network.agent.syscalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    make_read_only,
    mount,
    pivot_root,
    unmount,
)
from kubelab.engine.network.contract import Mount, StartFailed

_MACHINE = "/.machine"
_OWN = {"proc", "sys", "dev", "tmp", "run", _MACHINE[1:]}
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_KEPT_FROM_PODS = ("bus", "fs", "irq", "sys", "sysrq-trigger")
"""Parts of /proc that reach the whole machine; read-only in pods, as container runtimes have them."""


def enter_private_root(files: Mapping[str, str], mounts: Sequence[Mount], *, hidden: str = "") -> None:
    """Make the root and move in; the caller stands in mount and PID namespaces of its own.

    The directory ``hidden`` is empty for the pod (but for mounts): keys and tokens are in it.

    Raises OSError for what the system refuses, `StartFailed` for a mount that cannot be made.
    """
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")  # pivot_root moves it away from there again
    os.mkdir("/tmp" + _MACHINE, 0o700)
    pivot_root("/tmp", "/tmp" + _MACHINE)
    os.chdir("/")
    _machine_files()
    if os.path.isdir(hidden):
        mount("tmpfs", os.path.realpath(hidden), "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "mode=555")
    _own_directories()
    _processes()
    _devices()
    laid = [_lay(path, content, f"/.laid{number}") for number, (path, content) in enumerate(files.items())]
    for wanted in sorted(mounts, key=lambda wanted: wanted.target.rstrip("/").count("/")):
        if not wanted.own:
            _mount_volume(wanted)
    unmount(_MACHINE)
    os.rmdir(_MACHINE)
    for wanted in mounts:
        if wanted.own:
            _mount_own(wanted)
    for own in laid:
        os.unlink(own)  # the mounts keep them; before, because what is unlinked cannot be mounted once more


def _machine_files() -> None:
    with os.scandir(_MACHINE) as entries:
        for entry in entries:
            if entry.name not in _OWN:
                with suppress(PermissionError):  # what this user may not reach, a pod cannot either
                    _bind_entry(entry, f"/{entry.name}", read_only=True)


def _own_directories() -> None:
    os.mkdir("/tmp")
    os.chmod("/tmp", 0o1777)
    os.mkdir("/run", 0o755)


def _processes() -> None:
    os.mkdir("/proc", 0o555)
    os.mkdir("/sys", 0o555)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    _mount_or_bind("proc", "/proc", flags)
    for name in _KEPT_FROM_PODS:
        path = f"/proc/{name}"
        if os.path.exists(path):
            mount(path, path, None, MS_BIND | MS_REC)
            _read_only(path)
    _mount_or_bind("sysfs", "/sys", flags | MS_RDONLY)


def _devices() -> None:
    os.mkdir("/dev", 0o755)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name in _DEVICES:
        if os.path.exists(f"{_MACHINE}/dev/{name}"):
            _touch(f"/dev/{name}")
            mount(f"{_MACHINE}/dev/{name}", f"/dev/{name}", None, MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/pts", 0o755)
    try:
        mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    except OSError:
        mount(f"{_MACHINE}/dev/pts", "/dev/pts", None, MS_BIND | MS_REC)
    os.mkdir("/dev/shm")
    os.chmod("/dev/shm", 0o1777)


def _mount_or_bind(kind: str, target: str, flags: int) -> None:
    """A file system of the pod's own namespaces; inside some containers the kernel refuses it (EPERM)."""
    try:
        mount(kind, target, kind, flags)
    except OSError:
        mount(_MACHINE + target, target, None, MS_BIND | MS_REC)
        if flags & MS_RDONLY:
            _read_only(target)


def _lay(path: str, content: str, own: str) -> str:
    """Put a file of the pod's own at ``path``, over the machine's if there is one. Returns ``own``, to be unlinked."""
    target = _mount_point(path, directory=False)
    with open(own, "w") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(content)
    mount(own, target, None, MS_BIND)
    return own


def _mount_volume(wanted: Mount) -> None:
    source = _MACHINE + os.path.abspath(wanted.source)
    try:
        is_directory = stat.S_ISDIR(os.stat(_inside_machine(source)).st_mode)
        target = _mount_point(wanted.target, directory=is_directory)
        mount(_inside_machine(source), target, None, MS_BIND | MS_REC)
        if wanted.read_only:
            _read_only(target)
    except OSError as error:
        message = f"cannot mount {wanted.source} on {wanted.target}: {error.strerror}"
        raise StartFailed(message) from error


def _mount_own(wanted: Mount) -> None:
    """What the root that is made by now shows elsewhere, shown here as well."""
    try:
        target = _mount_point(wanted.target, directory=os.path.isdir(wanted.source))
        mount(wanted.source, target, None, MS_BIND | MS_REC)
        if wanted.read_only:
            _read_only(target)
    except OSError as error:
        message = f"cannot mount {wanted.source} on {wanted.target}: {error.strerror}"
        raise StartFailed(message) from error


def _inside_machine(path: str) -> str:
    """Follow symbolic links as the machine would, where absolute ones start at its root."""
    for _ in range(40):
        parts = path[len(_MACHINE) :].strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            here = "/".join([_MACHINE, *parts[:depth]])
            if os.path.islink(here):
                link = os.path.join("/", *parts[: depth - 1], os.readlink(here))
                path = _MACHINE + os.path.normpath(os.path.join(link, *parts[depth:]))
                break
        else:
            return path
    return path


def _mount_point(path: str, *, directory: bool) -> str:
    """A place to mount at: what is there, or made anew without touching the machine's directories."""
    real = os.path.realpath(path)
    if os.path.lexists(real):
        return real
    ancestor = os.path.dirname(real)
    while not os.path.lexists(ancestor):
        ancestor = os.path.dirname(ancestor)
    if os.statvfs(ancestor).f_flag & os.ST_RDONLY:
        _shadow(ancestor)
    if directory:
        os.makedirs(real)
    else:
        os.makedirs(os.path.dirname(real), exist_ok=True)
        _touch(real)
    return real


def _shadow(folder: str) -> None:
    """Replace a read-only directory by a writable one that shows the same entries."""
    original = "/.original"
    os.mkdir(original)
    mount(folder, original, None, MS_BIND | MS_REC)
    mode = stat.S_IMODE(os.stat(original).st_mode)
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}")
    with os.scandir(original) as entries:
        for entry in entries:
            _bind_entry(entry, os.path.join(folder, entry.name), read_only=False)  # a bind of read-only is read-only
    unmount(original)
    os.rmdir(original)


def _bind_entry(entry: os.DirEntry[str], target: str, *, read_only: bool) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
        return
    if entry.is_dir(follow_symlinks=False):
        os.mkdir(target)
    else:
        _touch(target)
    mount(entry.path, target, None, MS_BIND | MS_REC)
    if read_only:
        _read_only(target)


def _read_only(path: str) -> None:
    try:
        make_read_only(path)
    except OSError:
        _remount_read_only(path)


def _remount_read_only(path: str) -> None:
    """The same one by one, for kernels before 5.12. Flags that a mount came with must be kept (EPERM else)."""
    known = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": 0x400, "nodiratime": 0x800}
    known["relatime"] = 0x200000
    table = "/proc" if os.path.exists("/proc/self/mountinfo") else f"{_MACHINE}/proc"
    with open(f"{table}/self/mountinfo") as mounts:
        rows = [line.split() for line in mounts]
    for row in rows:
        target = _unescape(row[4])
        if target == path or target.startswith(path.rstrip("/") + "/"):
            flags = sum(known.get(option, 0) for option in row[5].split(","))
            mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


def _unescape(path: str) -> str:
    """A path as proc_pid_mountinfo(5) writes it. By hand: half a root directory is no place to load a codec from."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(escape, character)
    return path


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
