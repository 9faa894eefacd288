"""The real command line, in a process of its own, on an engine that is not one: on_a_fake_engine.py MANNER ARG…"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from kubelab.cli import main
from kubelab.clusters.embedded import EmbeddedCluster

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell's background job ignores it
fake = Path(__file__).parents[1] / "clusters" / "fake_engine.py"
manner = sys.argv.pop(1)
EmbeddedCluster.__init__.__kwdefaults__["engine"] = [sys.executable, str(fake), manner]
if manner == "unforeseen":
    EmbeddedCluster.up = lambda _: 1 // 0
main()
