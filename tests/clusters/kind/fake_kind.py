"""kind for tests: it says and refuses what kind 0.33 says and refuses (test_real_kind.py compares the two).

Its containers are the engine's (`fake_engine`). ``fails`` in FAKE_HOME, if it is there, has what kubeadm says when
Kubernetes does not come up in them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from fake_engine import HOME, LABEL, ROLE, State, add, value

VERSION = "kind v0.33.0 go1.27.2 linux/amd64"
FLAGS = {
    "create cluster": {"--name", "--config", "--image", "--kubeconfig", "--retain", "--wait"},
    "delete cluster": {"--name", "--kubeconfig"},
    "load image-archive": {"--name", "--nodes"},
    "export logs": {"--name"},
    "get clusters": set(),
    "get nodes": {"--all-clusters", "--name"},
}
"""All that kind 0.33 knows of these."""
AFTER_THE_IMAGE = ("Writing configuration 📜", "Starting control-plane 🕹️")
AT_LAST = ("Installing CNI 🔌", "Installing StorageClass 💾", "Joining worker nodes 🚜")
INIT = "docker exec --privileged {}-control-plane kubeadm init --config=/kind/kubeadm.conf --skip-token-print --v=6"


def kind(argv):
    """The exit code of ``kind ARGV…``."""
    if argv == ["version"]:
        print(VERSION)
        return 0
    flags = FLAGS.get(" ".join(argv[:2]))
    if flags is None:
        return error(f'unknown command "{argv[0]}" for "kind"')
    if unknown := [word for word in argv if word.startswith("--") and word.partition("=")[0] not in flags]:
        return error(f"unknown flag: {unknown[0]}")
    name = value(argv, "--name")
    with State() as state:
        nodes = [each for each, container in state["containers"].items() if container["labels"].get(LABEL) == name]
        match argv:
            case ["create", "cluster", *_]:
                return create(state, nodes, name, argv)
            case ["load", "image-archive", archive, *_]:
                return load(nodes, name, archive)
            case ["delete", "cluster", *_]:
                say(f'Deleting cluster "{name}" ...')
                remove(state, nodes)
            case ["export", "logs", folder, *_]:
                return export(nodes, name, folder)
            case ["get", "nodes", *_]:
                print("".join(f"{node}\n" for node in nodes), end="")
                say("" if nodes else f'No kind nodes found for cluster "{name}".')
            case ["get", "clusters"]:
                found = {each["labels"][LABEL] for each in state["containers"].values() if LABEL in each["labels"]}
                print("".join(f"{cluster}\n" for cluster in sorted(found)), end="")
                say("" if found else "No kind clusters found.")
    return 0


def create(state, nodes, name, argv):
    if re.fullmatch(r"(\d+[a-z]+)+", wait := value(argv, "--wait") or "0s") is None:
        return error(f'invalid argument "{wait}" for "--wait" flag: time: missing unit in duration "{wait}"')
    try:
        config = json.loads(Path(path := value(argv, "--config")).read_text())
    except FileNotFoundError:
        return error(f"failed to create cluster: error reading file: open {path}: no such file or directory")
    if nodes:
        return error(f'failed to create cluster: node(s) already exist for a cluster with the name "{name}"')
    if re.fullmatch("[a-z0-9.-]+", name) is None:
        return error(f"failed to create cluster: '{name}' is not a valid cluster name, cluster names must match "
                     "`^[a-z0-9.-]+$`")  # fmt: skip
    say(f'Creating cluster "{name}" ...')
    for image in {node.get("image", "kindest/node").partition("@")[0] for node in config["nodes"]}:
        step(f"Ensuring node image ({image}) 🖼️")
    made, workers = [], 0
    for node in config["nodes"]:
        workers += node["role"] == "worker"
        number = str(workers) if workers > 1 else ""
        ports = {f"{m['containerPort']}/tcp": str(m["hostPort"]) for m in node.get("extraPortMappings", ())}
        made.append(f"{name}-{node['role']}{number}")
        add(state, made[-1], ports, **{LABEL: name, ROLE: node["role"]})
    for each in (f"Preparing nodes {'📦 ' * len(made)}", AFTER_THE_IMAGE[0]):
        step(each)
    if (HOME / "fails").exists():
        step(AFTER_THE_IMAGE[1], "✗")
        if "--retain" not in argv:
            remove(state, made)
        why = f"failed with error: exit status 1\n\nCommand Output: {(HOME / 'fails').read_text()}\n"
        return error(f'failed to create cluster: failed to init node with kubeadm: command "{INIT.format(name)}" {why}')
    for each in (AFTER_THE_IMAGE[1], *(AT_LAST if workers else AT_LAST[:2])):
        step(each)
    Path(value(argv, "--kubeconfig")).write_text((HOME / "kubeconfig").read_text())
    return 0


def load(nodes, name, archive):
    if not Path(archive).exists():
        return error(f"stat {archive}: no such file or directory")
    if not nodes:
        return error(f'no nodes found for cluster "{name}"')
    with open(HOME / "loaded", "a") as loaded:
        loaded.writelines(f"{node} {Path(archive).read_text()}\n" for node in nodes)
    return 0


def export(nodes, name, folder):
    if not nodes:
        return error(f'unknown cluster "{name}"')
    for node in nodes:
        Path(folder, node).mkdir(parents=True, exist_ok=True)
        Path(folder, node, "kubelet.log").write_text(f"kubelet.service of {node}: it was the disk\n")
    say(f'Exporting logs for cluster "{name}" to:')
    print(folder)
    return 0


def remove(state, names):
    for each in names:
        del state["containers"][each]
    if names:
        say(f"Deleted nodes: [{' '.join(json.dumps(each) for each in names)}]")


def step(what, end="✓"):
    say(f" • {what}  ...\n {end} {what}")


def say(what):
    if what:
        print(what, file=sys.stderr)


def error(said):
    say(f"ERROR: {said}")
    return 1
