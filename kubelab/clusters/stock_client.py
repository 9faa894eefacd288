"""The stock `kubernetes` client for a kubeconfig: it knows every way in which one may say who you are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UnusableKubeconfig(Exception):
    """A kubeconfig cannot be used. The message says why."""


def open_client(kubeconfig: Path, context: str | None = None) -> Any:
    """A ``kubernetes.client.ApiClient``. Raises `UnusableKubeconfig`. Nothing is asked of the cluster yet."""
    with _left_out("kubernetes_validate"):
        from kubernetes import config
        from kubernetes.config.config_exception import ConfigException
    try:
        return config.new_client_from_config(str(kubeconfig), context=context)
    except (ConfigException, OSError) as error:
        raise UnusableKubeconfig(f"The kubeconfig {kubeconfig} cannot be used: {error}") from error


@contextmanager
def _left_out(module: str) -> Iterator[None]:
    """For what is imported inside, a module that is not loaded yet is not there.

    The client takes up kubernetes_validate where it is installed, for a check that is left to the API server;
    with JupyterLab's packages beside it that import builds a grammar of internationalised addresses for a whole second.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
