"""kube-proxy: Services and EndpointSlices in, packet-filter rules out.

The compiler is a pure function of objects and configuration; `KubeProxy` watches the API and loads what it says.
"""

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.health import METRICS_PORT
from kubelab.engine.proxy.proxy import KubeProxy
from kubelab.engine.proxy.text import rules_text

__all__ = ["METRICS_PORT", "KubeProxy", "LoadError", "ProxyConfig", "rules_text"]
