"""The compiler of mode ``ipvs``: virtual servers, ipsets and the iptables rules around them.

What there is, and the order in which a sync makes it, is that of kube-proxy 1.36. Services, sets and the entries of
sets are written in the order of their names (upstream: in no order).
"""

from kubelab.engine.proxy.ipvs.compiler import compile_plan
from kubelab.engine.proxy.ipvs.plan import DUMMY_DEVICE, Plan, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.text import plan_text

__all__ = ["DUMMY_DEVICE", "Plan", "RealServer", "VirtualServer", "compile_plan", "plan_text"]
