"""Kubernetes' API server on SQLite: the same requests and the same answers as kube-apiserver 1.36.

`ApiServer.handle` is the whole server as one callable; `ApiServer.serve` puts it on sockets.
"""

from kubelab.engine.apiserver.http import Serving
from kubelab.engine.apiserver.server import ApiServer
from kubelab.engine.apiserver.settings import ApiServerSettings

__all__ = ["ApiServer", "ApiServerSettings", "Serving"]
