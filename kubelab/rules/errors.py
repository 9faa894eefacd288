"""What is wrong with rules, in the words and with the exit codes of ``iptables-restore`` (nf_tables, 1.8.9)."""

from __future__ import annotations

PROGRAM = "iptables-restore"
VERSION = "v1.8.9 (nf_tables)"


class RuleError(Exception):
    """A line could not be understood: the message stands alone, its line is not known yet."""


class RefusedError(Exception):
    """A line was understood, and what it asks for cannot be done (``No chain/target/match by that name.``)."""


class KernelRefusedError(Exception):
    """The kernel does not take it (``RULE_APPEND failed (Invalid argument): rule in chain OUTPUT``)."""


class RestoreError(Exception):
    """`Ruleset.restore` failed at ``line`` (1-based). The table that the line is in was not changed.

    ``str()`` is what the program writes to stderr, ``code`` what it exits with.
    """

    def __init__(self, message: str, line: int, code: int) -> None:
        super().__init__(message)
        self.line = line
        self.code = code

    @classmethod
    def bad_line(cls, reason: str, line: int) -> RestoreError:
        """The line makes no sense."""
        return cls(
            f"{PROGRAM} {VERSION}: {reason}\nError occurred at line: {line}\n"
            f"Try `{PROGRAM} -h' or '{PROGRAM} --help' for more information.",
            line,
            2,
        )

    @classmethod
    def refused(cls, reason: str, line: int) -> RestoreError:
        """The line makes sense and cannot be carried out."""
        return cls(f"{PROGRAM}: line {line} failed: {reason}", line, 1)

    @classmethod
    def kernel(cls, reason: str, line: int) -> RestoreError:
        """The kernel would not take the line, or the whole table because of it."""
        return cls(f"{PROGRAM} {VERSION}: \nline {line}: {reason}", line, 4)
