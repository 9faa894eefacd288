"""Feeding iptables' tables of a node, in as few transactions as is quick, and as many as the kernel asks for.

Upstream feeds one transaction a table. iptables-restore (nf_tables, 1.8.9) takes a time that grows with the square of
the chains in it, 20 s for 5,000 Services; several transactions take a twentieth of that. And a plain user's cannot be
larger than the socket's send buffer (about 212,992 bytes, because raising it needs a privilege of the first
namespace). So where there are many rules they go in by whole chains, endpoints first and the shared chains last: every
moment in between serves traffic.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.jumps import CANARY_TABLES, canary_gone, missing_jumps
from kubelab.engine.proxy.script import Block, TableScript, chain_lines, transaction
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)

LINES_IN_ONE = 4000
"""Chains and rules that go into one transaction as upstream has it."""
LINES_IN_A_CHUNK = 1000
"""Of more than that, how many go in together; a chain that has more is not cut."""
FEWEST_LINES = 25

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
        self._lines = LINES_IN_A_CHUNK
        self.confined = False
        """Whether the kernel found a transaction too long, so that all later ones are kept short."""

    async def saved(self, table: str | None = None) -> str:
        """What the kernel holds now. Raises `LoadError`."""
        return (await self._call([self._save, *(["-t", table] if table else [])])).decode()

    async def load(self, *scripts: TableScript, saved: str | None = None) -> None:
        """Load tables; with ``saved`` (all tables) also the jumps and canaries that it lacks. Raises `LoadError`."""
        prelude = missing_jumps(saved) if saved is not None else ""
        text = prelude + "".join(script.text() for script in scripts)
        if not text:
            return
        if await self._in_one(text.count("\n")):
            try:
                return await self._transaction(text)
            except LoadError as error:
                self._shorten(error, LINES_IN_A_CHUNK)
            prelude = missing_jumps(await self.saved()) if saved is not None else ""
        if prelude:
            await self.feed(prelude)
        for script in scripts:
            await self._feed(script.table, blocks(script))

    async def feed(self, text: str) -> None:
        """Give text to iptables-restore, line by line in its order where it is too long for one transaction.

        Raises `LoadError`.
        """
        if await self._in_one(text.count("\n")):
            try:
                return await self._transaction(text)
            except LoadError as error:
                self._shorten(error, LINES_IN_A_CHUNK)
        for table in text.removesuffix("COMMIT\n").split("COMMIT\n"):
            name, *lines = table.splitlines()
            await self._feed(name.removeprefix("*"), [[line] for line in lines])

    async def canary_gone(self) -> bool:
        """Whether somebody flushed the tables: the canary is gone from mangle, and from the other tables too."""
        if not canary_gone([await self.saved("mangle")]):
            return False
        return canary_gone([await self.saved(table) for table in CANARY_TABLES if table != "mangle"])

    async def _in_one(self, lines: int) -> bool:
        """Whether to try one transaction; iptables-legacy takes one best, as each swaps the whole table."""
        if self.confined:
            return lines <= self._lines
        if lines <= LINES_IN_ONE:
            return True
        version = await self._run([self._restore, "--version"], b"")
        return b"nf_tables" not in version.stdout

    async def _feed(self, table: str, given: Sequence[Block]) -> None:
        """Whole blocks together; a single one is cut when it is too long itself."""
        waiting = _packed(given, self._lines)
        while waiting:
            packed = waiting.pop(0)
            lines = [line for block in packed for line in block]
            try:
                await self._transaction(transaction(table, lines))
            except LoadError as error:
                if len(lines) == 1:
                    raise
                self._shorten(error, len(lines) // 2)
                again = packed if len(packed) > 1 else await self._cut(table, lines)
                waiting = _packed([*again, *(block for each in waiting for block in each)], self._lines)

    async def _cut(self, table: str, block: Block) -> list[Block]:
        """Line by line. A chain that has rules keeps them until the new ones stand behind them, and is never empty."""
        chain = block[0].removeprefix(":").partition(" ")[0]
        rules = (await self.saved(table)).splitlines() if block[0].startswith(":") else []
        if held := sum(rule.startswith(f"-A {chain} ") for rule in rules):
            block = [*block[1:], *[f"-D {chain} 1"] * held]
        return [[line] for line in block]

    def _shorten(self, error: LoadError, lines: int) -> None:
        """Remember what did not fit. Raises the error when it is another one."""
        if _TOO_LONG not in str(error):
            raise error
        if not self.confined:
            log.info("the rules do not fit into one transaction; loading them in several")
        self.confined = True
        self._lines = max(FEWEST_LINES, min(self._lines, lines))

    async def _transaction(self, text: str) -> None:
        await self._call([self._restore, "-w", "5", "--noflush", "--counters"], text.encode())

    async def _call(self, argv: list[str], stdin: bytes = b"") -> bytes:
        done = await self._run(argv, stdin)
        if done.code != 0:
            said = done.stderr.decode(errors="replace").strip() or "it said nothing"
            raise LoadError(f"{argv[0]} ended with code {done.code}: {said}")
        return done.stdout


def blocks(script: TableScript) -> list[Block]:
    """A table's lines by chains: those that others jump to first, and last what is deleted."""
    rules = script.by_chain()
    rewritten = set(script.chains)
    names = dict.fromkeys([*script.chains, *rules])
    found = [
        [*chain_lines([name] if name in rewritten else []), *rules.get(name, [])]
        for name in sorted(names.keys() - set(script.deletions), key=lambda name: (_rank(name), name))
    ]
    found += [[line] for line in chain_lines(script.deletions)]
    return found + [[f"-X {chain}"] for chain in script.deletions]


def _rank(chain: str) -> int:
    return next((rank for rank, prefix in enumerate(_FIRST_TO_LAST) if chain.startswith(prefix)), 0)


def _packed(given: Sequence[Block], lines: int) -> list[list[Block]]:
    """Blocks that go in together; none is cut."""
    packed: list[list[Block]] = []
    size = 0
    for block in given:
        if not packed or size + len(block) > lines:
            packed.append([])
            size = 0
        packed[-1].append(block)
        size += len(block)
    return packed
