"""Who may ask a node for its pods' logs and shells: the API server, and nobody else who has a certificate.

A real node's kubelet asks the API server about each request (``--authorization-mode=Webhook``), whose rules let in the
API server itself, as kubeadm names it, and ``system:masters``
(https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/).
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

API_SERVER = "kube-apiserver-kubelet-client"
MASTERS = "system:masters"
UNAUTHORIZED, FORBIDDEN = 401, 403
_VERBS = {"GET": "get", "POST": "create"}


@web.middleware
async def for_the_api_server(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 401 to whoever shows no certificate of this cluster, 403 to whoever shows somebody else's."""
    shown = request.get_extra_info("peercert")
    if not shown:
        return web.Response(status=UNAUTHORIZED, text="Unauthorized")
    names = [pair for part in shown.get("subject", ()) for pair in part]
    user = next((value for key, value in names if key == "commonName"), "")
    groups = [value for key, value in names if key == "organizationName"]
    if user != API_SERVER and MASTERS not in groups:
        verb = _VERBS.get(request.method, request.method.lower())
        said = f"Forbidden (user={user}, verb={verb}, resource=nodes, subresource=proxy)\n"
        return web.Response(status=FORBIDDEN, text=said)
    return await handler(request)


def while_reached(reached: Callable[[], bool]) -> Middleware:
    """Middleware that hangs up on everybody as long as the node cannot be reached."""

    @web.middleware
    async def reach(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not reached() and request.transport is not None:
            request.transport.abort()
            raise ConnectionResetError("this node cannot be reached")
        return await handler(request)

    return reach
