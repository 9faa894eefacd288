"""hostPath volumes. The nodes have the machine's files, as much of them as every pod sees: so here they are read-only.

`Mount.own` mounts them from the pod's own root, where the cluster's secrets are hidden and ``/tmp`` is the pod's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from kubelab.engine.client import Object

_TYPES: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def problem(source: Object) -> str | None:
    """Why a pod cannot have it; None when it can. ``source`` is a HostPathVolumeSource."""
    path, kind = source["path"], source.get("type") or ""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if kind in ("Directory", "File", "Socket", "CharDevice", "BlockDevice"):
            return f"hostPath type check failed: {path} is not a {_TYPES[kind][1]}"
        return f"{path}: {error.strerror}; kubelab mounts hostPath volumes read-only and makes none"
    if kind in _TYPES and not _TYPES[kind][0](mode):
        return f"hostPath type check failed: {path} is not a {_TYPES[kind][1]}"
    return None
