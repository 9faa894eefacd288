"""Run the whole suite as several pytests at once: ``python -m tools.suite [OPTION…]``, options as pytest has them.

Lessons wait more than they work, so that the others have the processors meanwhile. What the first part says is seen
as it comes, what the others say when they have ended. A test that failed beside all the others runs again by itself: it
may have been for want of time. What fails twice has failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from tools import failures

ROOT = Path(__file__).resolve().parents[1]
APART = {
    "every lesson, with every privilege and with none": ["tests/privileges"],
    "the lessons' wrong answers, and the browser": ["tests/lessons", "tests/browser"],
}
PARTS = {
    "everything else": ["tests", *(f"--ignore={folder}" for part in APART.values() for folder in part)],
    **APART,
}
MOST_AGAIN = 10
"""More failures than these are no matter of time."""
NOTHING_CHOSEN = 5
"""pytest's exit code when the options leave no test."""


def main() -> int:
    """The command line; exit code 1 when a test failed, 5 when there was none."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kubelab-suite-") as folder:
        said = [None, *(Path(folder) / str(number) for number in range(1, len(PARTS)))]
        os.environ[failures.VARIABLE] = str(Path(folder) / "failures")
        running = [_start(argv, output) for argv, output in zip(PARTS.values(), said, strict=True)]
        signal.signal(signal.SIGINT, lambda number, frame: None)  # a terminal's ^C has reached all of them
        signal.signal(signal.SIGTERM, lambda number, frame: _terminate(running))
        codes = {_end(*each) for each in zip(PARTS, running, said, strict=True)}
        if codes - {0, NOTHING_CHOSEN}:
            codes = _again(Path(folder) / "failures", codes)
    sys.stdout.write(f"\nThe whole suite took {(time.monotonic() - begin) / 60:.1f} minutes.\n")
    if codes == {NOTHING_CHOSEN}:
        return NOTHING_CHOSEN
    return int(not codes <= {0, NOTHING_CHOSEN})


def _start(argv: list[str], output: Path | None) -> subprocess.Popen[bytes]:
    with output.open("wb") if output else nullcontext() as to:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "tools.failures", *argv, *sys.argv[1:]],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=to, stderr=subprocess.STDOUT if to else None,
        )  # fmt: skip


def _again(written: Path, codes: set[int]) -> set[int]:
    """The exit codes after those that failed have run by themselves; as they were where none is known or too many."""
    tests = list(dict.fromkeys(written.read_text().splitlines())) if written.exists() else []
    if not 0 < len(tests) <= MOST_AGAIN or codes - {0, 1, NOTHING_CHOSEN}:
        return codes
    sys.stdout.write(f"\nAgain, by themselves: {', '.join(tests)}\n")
    sys.stdout.flush()
    return {subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=ROOT, stdin=subprocess.DEVNULL).returncode}


def _terminate(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.terminate()


def _end(part: str, process: subprocess.Popen[bytes], output: Path | None) -> int:
    """Wait for a part and say what it said; its exit code."""
    code = process.wait()
    if output:
        sys.stdout.write(f"\n{part}:\n{output.read_text(errors='replace')}")
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
