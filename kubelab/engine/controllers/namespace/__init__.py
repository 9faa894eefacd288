"""The namespace controller: empties what is being deleted."""

from kubelab.engine.controllers.namespace.controller import NamespaceController

__all__ = ["NamespaceController"]
