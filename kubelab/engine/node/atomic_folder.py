"""A folder whose files change all at once, as kubelet writes ConfigMap and Secret volumes.

The files live in a folder named by the time, ``..data`` links to it, and every visible name links through ``..data``;
exchanging that one link is the change. A reader sees the old files or the new ones, never both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

DATA = "..data"


class File(NamedTuple):
    """One file of the folder."""

    content: bytes
    mode: int


def write(folder: Path, files: Mapping[str, File], now: datetime) -> bool:
    """Make the folder hold exactly these files (relative path → file); whether anything changed."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DATA
    old = folder / os.readlink(link) if link.is_symlink() else None
    if old is not None and old.is_dir() and _holds(old, files):
        return False
    fresh = folder / now.strftime("..%Y_%m_%d_%H_%M_%S.%f")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name, file in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    _exchange(link, fresh.name)
    _show(folder, {PurePosixPath(name).parts[0] for name in files})
    if old is not None and old != fresh:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _exchange(link: Path, target: str) -> None:
    temporary = link.with_name("..data_tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def _show(folder: Path, names: set[str]) -> None:
    for name in names:
        path = folder / name
        if not path.is_symlink():
            path.symlink_to(f"{DATA}/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in names and path.is_symlink():
            path.unlink()


def _holds(folder: Path, files: Mapping[str, File]) -> bool:
    present = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return present.keys() == files.keys() and all(
        path.read_bytes() == files[name].content and path.stat().st_mode & 0o7777 == files[name].mode
        for name, path in present.items()
    )
