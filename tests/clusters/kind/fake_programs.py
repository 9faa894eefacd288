"""docker, podman, nerdctl and kind for tests: they record how they were called, and answer from a folder.

``fake_programs.py NAME ARG…`` with FAKE_HOME in the environment. There ``calls`` gets a JSON line for each call;
``rules.json`` has what is to be answered instead of the usual: a list of [pattern, code, stdout, stderr, seconds],
where the pattern is searched in ``NAME ARG…``. A command in a container is run as it is, on this machine, with
FAKE_HOME/bin first on PATH. What they say and refuse is what kind 0.33 says and refuses; ``fails``, if it is there, has
what kind says when it has made the containers and Kubernetes does not come up in them.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_HOME"])
LABEL, ROLE = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
FLAGS = {
    "create cluster": {"--name", "--config", "--image", "--kubeconfig", "--retain", "--wait"},
    "delete cluster": {"--name", "--kubeconfig"},
    "load image-archive": {"--name", "--nodes"},
    "export logs": {"--name"},
}
"""All that kind 0.33 knows."""


class State:
    """The engine's containers and images, held while it is changed."""

    def __enter__(self):
        self._lock = open(HOME / "lock", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        path = HOME / "state.json"
        self.known = json.loads(path.read_text()) if path.exists() else {"containers": {}, "images": [], "next": 1}
        return self.known

    def __exit__(self, *_):
        (HOME / "state.json").write_text(json.dumps(self.known))
        self._lock.close()


def value(argv, *names):
    """What follows an option, as a word of its own or behind ``=``."""
    for at, word in enumerate(argv):
        if word in names:
            return argv[at + 1]
        if word.partition("=")[0] in names and "=" in word:
            return word.partition("=")[2]
    return ""


def add(state, name, ports=None, **labels):
    state["containers"][name] = {
        "id": f"{state['next']:064x}",
        "labels": {key.replace("__", "."): value for key, value in labels.items()},
        "running": True,
        "ports": ports or {},
    }
    state["next"] += 1


def engine(argv):
    with State() as state:
        containers, images = state["containers"], state["images"]
        match argv:
            case ["info", *_]:
                print((HOME / "info.json").read_text())
            case ["ps", *_]:
                wanted = [word.partition("label=")[2].split("=") for word in argv if word.startswith("--filter=")]
                for name, each in containers.items():
                    if all(each["labels"].get(key) == val for key, val in wanted):
                        print(each["id"], name, "Up 2 minutes" if each["running"] else "Exited (137)", sep="\t")
            case ["inspect", *_]:
                found = containers.get(argv[-1])
                if found is None:
                    print(f"Error response from daemon: No such container: {argv[-1]}", file=sys.stderr)
                    return 1
                if "Networks" in value(argv, "--format"):
                    network = "unknown-eth0" if sys.argv[1] == "nerdctl" else "kind"
                    print(json.dumps({network: {"IPAddress": "172.18.0.2"}}))
                    return 0
                bound = {inner: [{"HostIp": "127.0.0.1", "HostPort": outer}] for inner, outer in found["ports"].items()}
                print(json.dumps(bound if found["running"] or "PortBindings" in value(argv, "--format") else {}))
            case ["image", "inspect", image]:
                return 0 if image in images else 1
            case ["pull", *_, image]:
                images.append(image)
            case ["build", *_, context]:
                images.append(value(argv, "--tag"))
                (HOME / "context.json").write_text(json.dumps(sorted(
                    str(path.relative_to(context)) for path in Path(context).rglob("*.py"))))  # fmt: skip
                (HOME / "Dockerfile").write_text((Path(context) / "Dockerfile").read_text())
            case ["save", *_]:
                Path(value(argv, "--output")).write_text(" ".join(word for word in argv if word in images))
            case ["run", "--detach", *_]:
                key, _, val = value(argv, "--label").partition("=")
                add(state, value(argv, "--name"), **{key: val})
                (HOME / "environment").write_text(Path(value(argv, "--env-file")).read_text())
            case ["rm", *_, name]:
                containers.pop(name, None)
            case ["start", name]:
                containers[name]["running"] = True
            case ["exec", *_]:
                words = [word for word in argv[1:] if word not in ("--interactive", "--tty")]
                if not containers.get(words[0], {"running": False})["running"]:
                    print(f"Error response from daemon: container {words[0]} is not running", file=sys.stderr)
                    return 1
                return words[0], words[1:]
            case ["run", "--rm", *_]:
                rest = argv[argv.index("--privileged") + 2 :]
                return rest[0].partition(":")[2], [value(argv, "--entrypoint"), *rest[2:]]
    return 0


def kind(argv):
    if argv == ["version"]:
        print("kind v0.33.0 go1.26.1 linux/amd64")
        return 0
    flags = FLAGS.get(" ".join(argv[:2]), set())
    if unknown := [word for word in argv if word.startswith("--") and word.partition("=")[0] not in flags]:
        return error(f"unknown flag: {unknown[0]}")
    name = value(argv, "--name")
    with State() as state:
        nodes = [each for each, container in state["containers"].items() if container["labels"].get(LABEL) == name]
        match argv:
            case ["create", "cluster", *_]:
                return create(state, nodes, name, argv)
            case ["load", "image-archive", archive, *_]:
                if not Path(archive).exists():
                    return error(f"stat {archive}: no such file or directory")
                if not nodes:
                    return error(f'no nodes found for cluster "{name}"')
                with open(HOME / "loaded", "a") as loaded:
                    loaded.write(Path(archive).read_text() + "\n")
            case ["delete", "cluster", *_]:
                print(f'Deleting cluster "{name}" ...', file=sys.stderr)
                remove(state, nodes)
            case ["export", "logs", folder, *_]:
                if not nodes:
                    return error(f'unknown cluster "{name}"')
                for node in nodes:
                    Path(folder, node).mkdir(parents=True, exist_ok=True)
                    Path(folder, node, "kubelet.log").write_text("it was the disk\n")
                print(f'Exporting logs for cluster "{name}" to:', file=sys.stderr)
                print(folder)
            case _:
                return error(f'unknown command "{argv[0]}" for "kind"')
    return 0


def create(state, nodes, name, argv):
    if nodes:
        return error(f'failed to create cluster: node(s) already exist for a cluster with the name "{name}"')
    config = json.loads(Path(value(argv, "--config")).read_text())
    print(f'Creating cluster "{name}" ...\n \u2022 Preparing nodes  ...', file=sys.stderr)
    made, workers = [], 0
    for node in config["nodes"]:
        workers += node["role"] == "worker"
        number = str(workers) if workers > 1 else ""
        ports = {f"{m['containerPort']}/tcp": str(m["hostPort"]) for m in node.get("extraPortMappings", ())}
        made.append(f"{name}-{node['role']}{number}")
        add(state, made[-1], ports, **{LABEL: name, ROLE: node["role"]})
    if (HOME / "fails").exists():
        if "--retain" not in argv:
            remove(state, made)
        print((HOME / "fails").read_text(), file=sys.stderr)
        return 1
    Path(value(argv, "--kubeconfig")).write_text((HOME / "kubeconfig").read_text())
    return 0


def remove(state, names):
    for each in names:
        del state["containers"][each]


def error(said):
    print(f"ERROR: {said}", file=sys.stderr)
    return 1


def main():
    program, *argv = sys.argv[1:]
    with open(HOME / "calls", "a") as calls:
        calls.write(json.dumps([program, *argv]) + "\n")
    rules = HOME / "rules.json"
    for pattern, code, out, err, seconds in json.loads(rules.read_text()) if rules.exists() else ():
        if re.search(pattern, " ".join([program, *argv])):
            time.sleep(seconds)
            print(out, end="")
            print(err, end="", file=sys.stderr)
            return code
    if argv == ["--version"]:
        print(f"{program} version 28.0.0")
        return 0
    done = kind(argv) if program == "kind" else engine(argv)
    if isinstance(done, int):
        return done
    node, command = done
    environment = os.environ | {"PATH": f"{HOME}/bin:{os.environ['PATH']}:/usr/bin:/bin", "FAKE_NODE": node}
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)


sys.exit(main())
