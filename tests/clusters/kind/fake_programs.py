"""docker, podman, nerdctl and kind for tests: they record how they were called, and answer from a folder.

``fake_programs.py NAME ARG…`` with FAKE_HOME in the environment. There ``calls`` gets a JSON line for each call;
``rules.json`` has what is to be answered instead of the usual: a list of [pattern, code, stdout, stderr, seconds],
where the pattern is searched in ``NAME ARG…``. A command of ours in a container is run as it is, on this machine, with
FAKE_HOME/bin first on PATH; kind's own are answered by `fake_node`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

from fake_engine import HOME, engine
from fake_kind import kind

VERSIONS = {
    "docker": "Docker version 28.2.2, build e6534b4",
    "podman": "podman version 5.4.0",
    "nerdctl": "nerdctl version 2.1.3",
}


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
    if program == "kind":
        return kind(argv)
    if argv in (["--version"], ["-v"]):
        print(VERSIONS[program])
        return 0
    done = engine(program, argv)
    if isinstance(done, int):
        return done
    node, command = done
    environment = os.environ | {"PATH": f"{HOME}/bin:{os.environ['PATH']}:/usr/bin:/bin", "FAKE_NODE": node}
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)


sys.exit(main())
