"""Print a Secret a learner, from the folder that `kubelab workshop create` has written.

usage: python deploy/jupyterhub/user_secrets.py FOLDER [NAMESPACE] | kubectl apply -f -
"""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMESPACE = "jupyterhub"
"""Where the chart is installed."""


def secrets(folder: Path, namespace: str = NAMESPACE) -> Iterator[dict[str, Any]]:
    """``kubeconfig-ada`` and so on, as ``values.yaml`` mounts them. Raises `OSError`, `ValueError`."""
    with (folder / "handout.csv").open(newline="", encoding="utf-8") as handout:
        for row in csv.DictReader(handout):
            if not row["learner"][0].isalpha():
                # KubeSpawner's slugs begin with a letter: {username} would be another name than the Secret's.
                raise ValueError(
                    f"JupyterHub gives {row['learner']} another name, because it begins with a digit: add a column "
                    "`user` to the list of learners, with a name that begins with a letter, and make the workshop anew."
                )
            kubeconfig = (folder / row["kubeconfig"]).read_bytes()
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"kubeconfig-{row['learner']}", "namespace": namespace},
                "type": "Opaque",
                "data": {"config": base64.b64encode(kubeconfig).decode()},
            }


def main(argv: list[str]) -> None:
    """Print them as one List. Raises SystemExit."""
    if not 1 <= len(argv) <= 2:
        raise SystemExit(__doc__)
    try:
        items = list(secrets(Path(argv[0]), *argv[1:]))
    except OSError as error:
        raise SystemExit(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SystemExit(str(error)) from error
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
