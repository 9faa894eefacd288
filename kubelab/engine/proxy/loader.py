"""Loading compiled rules into the kernel of a node, with as few process starts as can be.

A full sync reads all tables once and restores once; a partial one reads the nat table's chains and restores once.
A plain user's nf_tables transaction cannot be larger than the socket's send buffer (about 212,992 bytes, because
raising it needs a privilege of the first namespace); where the kernel says so, the rules go in chain by chain in
several transactions, endpoints first and the shared chains last, so that every moment in between serves traffic.
"""

from __future__ import annotations

import logging

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.iptables import Compiled
from kubelab.engine.proxy.jumps import CANARY_TABLES, canary_gone, missing_jumps
from kubelab.engine.proxy.script import TableScript, chain_lines
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)

LINES_IN_A_CHUNK = 200
"""Chains and rules in one transaction of a chunked load: about two thirds of what fits."""

_TOO_LONG = "Message too long"

_FIRST_TO_LAST = (
    "KUBE-MARK-MASQ",
    "KUBE-POSTROUTING",
    "KUBE-SEP-",
    "KUBE-SVC-",
    "KUBE-SVL-",
    "KUBE-EXT-",
    "KUBE-FW-",
    "KUBE-NODEPORTS",
    "KUBE-SERVICES",
)


class Loader:
    """Loads into one node, for one address family."""

    def __init__(self, run: Run, family: int = 4) -> None:
        self._run = run
        program = "ip6tables" if family == 6 else "iptables"
        self._save = f"{program}-save"
        self._restore = f"{program}-restore"
        self.chunked = False
        """Whether the last load took several transactions."""

    async def saved(self, table: str | None = None) -> str:
        """What the kernel holds now."""
        return (await self._call([self._save, *(["-t", table] if table else [])])).decode()

    async def load(self, compiled: Compiled, *, saved: str | None = None) -> None:
        """Load the rules; with ``saved`` (all tables) also the jumps and canaries that it lacks. Raises `LoadError`."""
        prelude = missing_jumps(saved) if saved is not None else ""
        try:
            await self.feed(prelude + compiled.text())
            self.chunked = False
        except LoadError as error:
            if _TOO_LONG not in str(error):
                raise
            log.info("the rules do not fit into one transaction; loading them in several of %d lines", LINES_IN_A_CHUNK)
            for text in chunks(compiled, prelude):
                await self.feed(text)
            self.chunked = True

    async def canary_gone(self) -> bool:
        """Whether somebody flushed the tables: the canary is gone from mangle, and from the other tables too."""
        if not canary_gone([await self.saved("mangle")]):
            return False
        return canary_gone([await self.saved(table) for table in CANARY_TABLES if table != "mangle"])

    async def feed(self, text: str) -> None:
        """Give text to iptables-restore, in one transaction a table. Raises `LoadError`."""
        await self._call([self._restore, "-w", "5", "--noflush", "--counters"], text.encode())

    async def _call(self, argv: list[str], stdin: bytes = b"") -> bytes:
        done = await self._run(argv, stdin)
        if done.code != 0:
            said = done.stderr.decode(errors="replace").strip() or "it said nothing"
            raise LoadError(f"{argv[0]} ended with code {done.code}: {said}")
        return done.stdout


def chunks(compiled: Compiled, prelude: str = "") -> list[str]:
    """The same rules as several transactions, each of whole chains where they fit."""
    texts = [*_transactions(compiled.filter), *_transactions(compiled.nat)]
    return [prelude, *texts] if prelude else texts


def _transactions(script: TableScript) -> list[str]:
    rules: dict[str, list[str]] = {chain: [] for chain in script.chains if chain not in script.deletions}
    for rule in script.rules:
        rules[rule.split(" ", 2)[1]].append(rule)
    blocks = [[*chain_lines([chain]), *rules[chain]] for chain in sorted(rules, key=_rank)]
    blocks += [[line] for line in chain_lines(script.deletions)]
    blocks += [[f"-X {chain}"] for chain in script.deletions]
    return ["\n".join([f"*{script.table}", *lines, "COMMIT", ""]) for lines in _packed(blocks)]


def _rank(chain: str) -> int:
    """Chains that others jump to come first; the sort is stable."""
    return next((rank for rank, prefix in enumerate(_FIRST_TO_LAST) if chain.startswith(prefix)), 0)


def _packed(blocks: list[list[str]]) -> list[list[str]]:
    """The blocks side by side in chunks; only a block that is larger than a chunk is cut."""
    packed: list[list[str]] = [[]]
    for block in blocks:
        if packed[-1] and len(packed[-1]) + len(block) > LINES_IN_A_CHUNK:
            packed.append([])
        for line in block:
            if len(packed[-1]) == LINES_IN_A_CHUNK:
                packed.append([])
            packed[-1].append(line)
    return packed
