"""A stand-in for kube-scheduler: kubelab's scheduler as a process of its own."""

from __future__ import annotations

import asyncio

from common import client_of, flags, serve_health, server_tls

from kubelab.engine.controllers import run_controllers


async def main() -> None:
    given = flags("kube-scheduler")
    tls = server_tls(given["tls-cert-file"], given["tls-private-key-file"], given["client-ca-file"])
    await serve_health(given["bind-address"], int(given["secure-port"]), tls, b"ok")
    client = client_of(given["kubeconfig"], "kube-scheduler")
    await run_controllers(lambda _user: client, ca_pem="", parts=["scheduler"])


asyncio.run(main())
