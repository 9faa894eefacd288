"""docker, podman and nerdctl for tests, as far as kubelab and kind 0.33 use them.

A container is an entry in FAKE_HOME/state.json, and the engine says of it what a real one would. What is behind a
published port is said by FAKE_HOME/behind.json (port of the container → port of 127.0.0.1), else the port leads
nowhere; ``taken.json`` there lists ports of the machine that someone else has.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from pathlib import Path

from fake_node import Node

HOME = Path(os.environ["FAKE_HOME"])
LABEL, ROLE = "io.x-k8s.kind.cluster", "io.x-k8s.kind.role"
SUBNETS = ("172.18.0.0/16", "fc00:f853:ccd:e793::/64")
READY = "[  OK  ] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User System.\r\n"
"""kind waits for it in a node's log."""


class State:
    """The engine's containers, images, networks and volumes, held while they are changed."""

    def __enter__(self):
        self._lock = open(HOME / "lock", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        path = HOME / "state.json"
        empty = {"containers": {}, "images": [], "networks": [], "volumes": {}, "next": 1}
        self.known = empty | (json.loads(path.read_text()) if path.exists() else {})
        return self.known

    def __exit__(self, *_):
        (HOME / "state.json").write_text(json.dumps(self.known))
        self._lock.close()


def value(argv, *names):
    """What follows an option, as a word of its own or behind ``=``."""
    return (values(argv, *names) or [""])[0]


def values(argv, *names):
    """The same for an option that may be given several times."""
    split = [word.partition("=")[2] for word in argv if word.partition("=")[0] in names and "=" in word]
    return [argv[at + 1] for at, word in enumerate(argv[:-1]) if word in names] + split


def add(state, name, ports=None, **labels):
    """A container that runs."""
    state["containers"][name] = {
        "id": f"{state['next']:064x}",
        "labels": {key.replace("__", "."): value for key, value in labels.items()},
        "running": True,
        "ports": ports or {},
        "network": "kind",
        "ip": f"172.18.0.{state['next'] + 1}",
    }
    state["next"] += 1


def engine(program, argv):
    """An exit code, or the container and command that are to be run on this machine."""
    with State() as state:
        return Engine(program, state).do(argv)


class Engine:
    """One call of the program."""

    def __init__(self, program, state):
        self.program, self.state = program, state
        self.containers, self.images = state["containers"], state["images"]

    def do(self, argv):
        match argv:
            case ["info", "--format", "'{{json .SecurityOptions}}'"]:
                print(json.dumps(json.loads((HOME / "info.json").read_text()).get("SecurityOptions")))
            case ["info", *_]:
                print((HOME / "info.json").read_text())
            case ["ps", *_]:
                self._ps(argv)
            case ["inspect", "--type=image", image] | ["image", "inspect", image]:
                return 0 if image in self.images else self._refuse(f"No such image: {image}")
            case ["inspect", *_]:
                return self._inspect(argv)
            case ["pull", *_, image]:
                self.images.append(image)
            case ["build", *_, context]:
                self.images.append(value(argv, "--tag"))
                (HOME / "context.json").write_text(json.dumps(sorted(
                    str(path.relative_to(context)) for path in Path(context).rglob("*.py"))))  # fmt: skip
                (HOME / "Dockerfile").write_text((Path(context) / "Dockerfile").read_text())
            case ["save", *_]:
                Path(value(argv, "--output")).write_text(" ".join(word for word in argv if word in self.images))
            case ["network", *_]:
                return self._network(argv[1:])
            case ["volume", *_]:
                self._volume(argv[1:])
            case ["run", "--rm", *_]:
                rest = argv[argv.index("--privileged") + 2 :]
                return rest[0].partition(":")[2], [value(argv, "--entrypoint"), *rest[2:]]
            case ["run", *_]:
                return self._run(argv)
            case ["logs", *_, name]:
                sys.stdout.buffer.write(f"INFO: starting init in {name}\r\n{READY}".encode())
            case ["start", name]:
                self.containers[name]["running"] = True
            case ["update" | "wait", *_]:
                pass
            case ["stop", *names]:
                for name in names:
                    self.containers[name]["running"] = False
            case ["rm", *words]:
                for name in words:
                    self.containers.pop(name, None)
            case ["exec", "--privileged", *words]:
                return self._privileged(words)
            case ["exec", *words]:
                words = [word for word in words if word not in ("--interactive", "--tty")]
                if not self.containers.get(words[0], {"running": False})["running"]:
                    return self._refuse(f"container {words[0]} is not running")
                return words[0], words[1:]
            case _:
                return self._refuse(f"{self.program} {argv} is not known here")
        return 0

    def _run(self, argv):
        name = value(argv, "--name")
        labels = dict(each.split("=", 1) for each in values(argv, "--label"))
        published = [re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+/\w+)", each) for each in values(argv, "--publish")]
        add(self.state, name, {each[2].lower(): each[1] for each in published}, **labels)
        self.containers[name]["network"] = value(argv, "--net", "--network")
        print(self.containers[name]["id"])
        taken = json.loads((HOME / "taken.json").read_text()) if (HOME / "taken.json").exists() else []
        for outer in (each[1] for each in published if int(each[1]) in taken):
            self.containers[name]["running"] = False
            return self._refuse(f"failed to set up container networking: Bind for 127.0.0.1:{outer} failed: port is "
                                "already allocated\n\nRun 'docker run --help' for more information", 125)  # fmt: skip
        if ROLE in labels:
            Node(HOME, name, labels[ROLE]).furnish()
        if "--env-file" in argv:
            (HOME / "environment").write_text(Path(value(argv, "--env-file")).read_text())
        return 0

    def _privileged(self, words):
        words = words[1:] if words[0] == "-i" else words
        name, command = words[0], words[1:]
        if not self.containers.get(name, {"running": False})["running"]:
            return self._refuse(f"container {name} is not running")
        return Node(HOME, name, self.containers[name]["labels"][ROLE]).run(command)

    def _ps(self, argv):
        wanted = [word.removeprefix("label=").partition("=") for word in values(argv, "--filter")]
        form = value(argv, "--format")
        for name, each in self.containers.items():
            labels = each["labels"]
            if all(key in labels and (not is_ or labels[key] == val) for key, is_, val in wanted):
                said = {".ID": each["id"], ".Names": name, ".Status": "Up 2 minutes" if each["running"] else "Exited"}
                print(_filled(form, said, labels))

    def _inspect(self, argv):
        found, form = self.containers.get(argv[-1]), value(argv, "--format", "-f")
        if found is None:
            return self._refuse(f"No such container: {argv[-1]}")
        if label := re.search(r"index \.Config\.Labels \"(.*?)\"", form):
            print(found["labels"].get(label[1], ""))
        elif "GlobalIPv6Address" in form:
            print(f"{found['ip']},")
        elif "Networks" in form:
            network = "unknown-eth0" if self.program == "nerdctl" else found["network"]
            print(json.dumps({network: {"IPAddress": found["ip"]}}))
        elif at := re.search(r"index \.NetworkSettings\.Ports \"(.*?)\"", form):
            print("127.0.0.1", self._behind(at[1], found["ports"][at[1]]), sep="\t")
        elif "PortBindings" in form:
            print(json.dumps(self._bound(found["ports"])))
        elif "Ports" in form:
            leads = {inner: self._behind(inner, outer) for inner, outer in found["ports"].items()}
            print(json.dumps(self._bound(leads) if found["running"] else {}))
        else:
            print(json.dumps([{"Name": argv[-1], "Id": found["id"]}]))
        return 0

    def _behind(self, inner, outer):
        path = HOME / "behind.json"
        return str((json.loads(path.read_text()) if path.exists() else {}).get(inner.partition("/")[0], outer))

    def _bound(self, ports):
        return {inner: [{"HostIp": "127.0.0.1", "HostPort": outer}] for inner, outer in ports.items()}

    def _network(self, argv):
        networks = self.state["networks"]
        match argv:
            case ["ls", *_]:
                wanted = re.compile(value(argv, "--filter").removeprefix("name="))
                print("".join(f"{each}\n" for each in networks if wanted.search(each)), end="")
            case ["create", *_, name]:
                networks.append(name)
            case ["inspect", "-f", _, _]:
                print(" ".join(SUBNETS), "")
            case ["inspect", "bridge", *_]:
                print("1500")
            case ["inspect", name] if name not in networks:
                return self._refuse(f"unable to find network with name or ID {name}")
            case ["inspect", name]:
                print(json.dumps([{"name": name, "subnets": [{"subnet": each} for each in SUBNETS]}]))
        return 0

    def _volume(self, argv):
        volumes = self.state["volumes"]
        match argv:
            case ["create", "--label", label]:
                volumes[name := f"volume{len(volumes)}"] = label.partition("=")[0]
                print(name)
            case ["ls", *_]:
                label = value(argv, "--filter").removeprefix("label=")
                print("".join(f"{each}\n" for each, has in volumes.items() if has == label), end="")
            case ["rm", "--force", *names]:
                for name in names:
                    del volumes[name]

    def _refuse(self, said, code=1):
        words = "Error" if self.program == "podman" else f"{self.program}: Error response from daemon"
        print(f"{words}: {said}", file=sys.stderr)
        return code


def _filled(form, said, labels):
    """A Go template of ``ps``, as far as it is used here."""
    with_labels = re.sub(r"\{\{(?:\.Label|index \.Labels) \"(.*?)\"\}\}", lambda at: labels.get(at[1], ""), form)
    return re.sub(r"\{\{(\.\w+)\}\}", lambda at: said[at[1]], with_labels)
