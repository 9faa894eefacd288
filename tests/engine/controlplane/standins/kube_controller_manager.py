"""A stand-in for kube-controller-manager: kubelab's controllers as a process of its own, with upstream's identities.

Like the real one with ``--use-service-account-credentials`` it asks for a token of each controller's ServiceAccount,
which it makes if there is none.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from common import client_of, flags, hesitant, serve_health, server_tls

from kubelab.engine.client import ApiError, ApiRequest, Client, HttpsTransport, already_exists
from kubelab.engine.client.resources import SERVICEACCOUNTS
from kubelab.engine.controllers import run_controllers


class AccountTransport:
    """Asks as a ServiceAccount, from its first request on."""

    def __init__(self, owner: Client, name: str, server: str, ca_file: str) -> None:
        self._owner, self._name, self._server, self._ca_file = owner, name, server, ca_file
        self._opening: asyncio.Task[HttpsTransport] | None = None

    async def _open(self) -> HttpsTransport:
        try:
            await self._owner.create(SERVICEACCOUNTS, {"metadata": {"name": self._name, "namespace": "kube-system"}})
        except ApiError as error:
            if not already_exists(error):
                raise
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        request["spec"] = {"expirationSeconds": 3600}
        path = SERVICEACCOUNTS.path("kube-system", self._name, "token")
        token = (await self._owner.send("POST", path, body=request))["status"]["token"]
        return HttpsTransport(self._server, ca_file=self._ca_file, token=token, user_agent=self._name)

    async def _transport(self) -> HttpsTransport:
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.ensure_future(self._open())
        return await self._opening

    async def request(self, request: ApiRequest):
        return await (await self._transport()).request(request)

    async def lines(self, request: ApiRequest):
        async for line in (await self._transport()).lines(request):
            yield line

    async def close(self) -> None:
        if self._opening is not None:
            await (await self._opening).close()


async def main() -> None:
    given = flags("kube-controller-manager")
    tls = server_tls(given["tls-cert-file"], given["tls-private-key-file"], given["client-ca-file"])
    await serve_health(given["bind-address"], int(given["secure-port"]), tls, b"ok")
    ca_pem = Path(given["root-ca-file"]).read_text()  # noqa: ASYNC240  (at its start)
    owner = client_of(given["kubeconfig"], "kube-controller-manager")

    def client_for(user: str) -> Client:
        account = user.removeprefix("system:serviceaccount:kube-system:")
        if account == user:
            return owner
        server = owner._transport._server
        return Client(hesitant(AccountTransport(owner, account, server, given["root-ca-file"])))

    await run_controllers(client_for, ca_pem=ca_pem, parts=["controllers"])


asyncio.run(main())
