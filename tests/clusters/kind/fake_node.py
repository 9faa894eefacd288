"""What a node's image has, as far as kind asks for it: its files, kubeadm, kubectl, crictl, ctr, the journal.

kind's own commands in a node are privileged ones (``exec --privileged``): by that they are told from ours. They find
the files of the node below FAKE_HOME/nodes, and Kubernetes comes up when ``kubeadm init`` is called: it is whatever
FAKE_HOME/kubeconfig says. A command that is not known here is refused, because it would run on this machine.
"""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from pathlib import Path

VERSION = "v1.36.4"
CONTAINERD = 'version = 3\n\n[plugins."io.containerd.cri.v1.images"]\n  snapshotter = "overlayfs"\n'
KUBEADM_FAILS = """\
[init] Using Kubernetes version: v1.36.4
I1123 22:40:01.000000     212 loader.go:405] Config loaded from file:  /etc/kubernetes/admin.conf
[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods
"""


class Node:
    """One node's own commands and files."""

    def __init__(self, home: Path, name: str, role: str) -> None:
        self.home, self.name, self.role = home, name, role
        self.root = home / "nodes" / name

    def furnish(self) -> None:
        """The files of a node image that has just been started."""
        self._write("/kind/version", VERSION + "\n")
        self._write("/etc/containerd/config.toml", CONTAINERD)
        self._write("/var/log/pods/of-" + self.name, "it was the disk\n")
        if self.role == "control-plane":
            self._write("/kind/manifests/default-cni.yaml", "apiVersion: v1\nkind: List\nitems: []\n")
            self._write("/kind/manifests/default-storage.yaml", "apiVersion: v1\nkind: List\nitems: []\n")

    def run(self, argv: list[str]) -> int:
        """Its exit code; 127 for what is not known."""
        match argv:
            case ["cat", path]:
                return self._cat(path)
            case ["mkdir", "-p", path]:
                self._at(path).mkdir(parents=True, exist_ok=True)
            case ["cp", "/dev/stdin", path]:
                self._write(path, sys.stdin.read())
            case ["test", "-f", path]:
                return 0 if self._at(path).is_file() else 1
            case ["kubeadm", "init", *_]:
                return self._kubeadm("/etc/kubernetes/admin.conf")
            case ["kubeadm", "join", *_]:
                return self._kubeadm("/etc/kubernetes/kubelet.conf")
            case ["kubectl", *words] if "get" in words:
                print("'True'", end="")
            case ["kubectl", *words] if {"apply", "create", "taint", "label"} & set(words):
                if argv[-1] == "-":
                    sys.stdin.read()
            case ["ctr", "--namespace=k8s.io", "images", "import", *_, "-"]:
                with open(self.home / "loaded", "a") as loaded:
                    loaded.write(f"{self.name} {sys.stdin.read()}\n")
            case ["containerd", "config", "dump"]:
                return self._cat("/etc/containerd/config.toml")
            case ["crictl", "images"]:
                print("IMAGE  TAG  IMAGE ID  SIZE")
            case ["journalctl", "--no-pager", *of]:
                print(f"{of[-1] if of else 'all'} of {self.name}: it was the disk")
            case ["sh", "-c", command] if command.startswith("tar --hard-dereference -C /var/log"):
                self._tar("/var/log")
            case _:
                print(f"fake node: {argv} is not known", file=sys.stderr)
                return 127
        return 0

    def _kubeadm(self, gives: str) -> int:
        fails = self.home / "fails"
        if fails.exists():
            print(KUBEADM_FAILS + fails.read_text(), file=sys.stderr)
            return 1
        self._write(gives, (self.home / "kubeconfig").read_text())
        return 0

    def _cat(self, path: str) -> int:
        try:
            with open(self._at(path)) as file:
                shutil.copyfileobj(file, sys.stdout)
        except FileNotFoundError:
            print(f"cat: {path}: No such file or directory", file=sys.stderr)
            return 1
        return 0

    def _tar(self, path: str) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(self._at(path), arcname=".")
        sys.stdout.buffer.write(packed.getvalue())

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _write(self, path: str, text: str) -> None:
        file = self._at(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
