"""registry.k8s.io/e2e-test-images/agnhost: the part of it that Service and Ingress lessons use.

Written after what upstream's image answers (kubernetes/kubernetes, test/images/agnhost), so that a lesson shows the
same here and on a real cluster.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

COMMANDS = {
    "netexec": "Creates HTTP(S) and UDP servers with various endpoints",
    "serve-hostname": "Serves the hostname",
    "connect": "Attempts a TCP or UDP connection and returns useful errors",
    "pause": "Pauses",
}

Command = Callable[[Sequence[str]], int]


def main(argv: Sequence[str]) -> int:
    """Run ``argv[1]`` with the arguments after it; answers the exit code."""
    name, rest = (argv[1], argv[2:]) if len(argv) > 1 else ("help", [])
    if name in ("help", "--help", "-h"):
        _help()
        return 0
    if name not in COMMANDS:
        sys.stderr.write(
            f'Error: unknown command "{name}" for "app": kubelab has these parts of agnhost: '
            f"{', '.join(sorted(COMMANDS))}\nRun 'app --help' for usage.\n"
        )
        return 1
    module = "kubelab.engine.images.pause" if name == "pause" else f"{__name__}.{name.replace('-', '_')}"
    command: Command = import_module(module).main
    return command(rest)


def _help() -> None:
    lines = ["Usage:", "  app [command]", "", "Available Commands:"]
    lines += [f"  {name:<16}{text}" for name, text in sorted(COMMANDS.items())]
    sys.stdout.write("\n".join(lines) + "\n")
