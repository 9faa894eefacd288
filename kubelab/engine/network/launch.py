"""Starting a network agent, and hearing whether its tier works here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import kubelab
from kubelab.engine.network.agent import messages
from kubelab.engine.network.agent.backend import TOOL_PATH, TierUnusable
from kubelab.engine.network.contract import Tier

_SECONDS_TO_START = 30
_CODE = (
    "import sys; sys.path.append(sys.argv[4]); "
    "from kubelab.engine.network.agent.__main__ import main; main(sys.argv[1], int(sys.argv[2]), sys.argv[3])"
)


@dataclass
class Agent:
    """A running agent: its process (in a session of its own) and the engine's end of the channel."""

    tier: Tier
    process: subprocess.Popen[bytes]
    channel: socket.socket
    notes: list[str]
    """What this machine does not allow and what that costs."""

    def end(self, seconds: float = 5) -> None:
        """Close the channel, on which the agent ends and takes everything with it; wait for that, else kill it."""
        self.channel.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()  # the process that waits for process 1, which dies with it
            self.process.wait()


def launch(tier: Tier, state: Path) -> Agent:
    """Start an agent and wait until it is ready. ``state`` is a directory for it alone. Blocks.

    Raises `TierUnusable`.
    """
    if tier == "root" and os.geteuid() != 0:
        raise TierUnusable("this is a plain user", "run as root")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, open(state / "agent.log", "ab") as log:
        # The package is found without site-packages' start-up code, so third-party code never runs in the agent.
        root = str(Path(kubelab.__file__).parents[1])
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CODE, tier, str(theirs.fileno()), str(state), root],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": TOOL_PATH, "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/")},
            cwd="/",
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    agent = Agent(tier, process, ours, [])
    try:
        ours.settimeout(_SECONDS_TO_START)
        received = messages.receive(ours)
    except TimeoutError:
        agent.end(0)
        raise TierUnusable("the network agent does not get ready", f"look at {log.name}") from None
    hello: messages.Message = received[0] if received else {"event": "ended"}
    if hello["event"] != "ready":
        agent.end()
        raise TierUnusable(hello.get("reason") or _last_words(state), hello.get("remedy", "report this as a bug"))
    agent.notes = hello["notes"]
    return agent


def _last_words(state: Path) -> str:
    lines = (state / "agent.log").read_text(errors="replace").strip().splitlines()
    return f"the network agent failed: {lines[-1] if lines else 'it said nothing'}"
