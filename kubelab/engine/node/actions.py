"""What probes and hooks do: an HTTP GET, a TCP connection, a command; and what kubelet says when it fails."""

from __future__ import annotations

import asyncio
import os

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Network, Place, StartFailed
from kubelab.engine.node import execution, grpc, http_get
from kubelab.engine.node.clock import Clock, within
from kubelab.engine.node.execution import Running
from kubelab.engine.node.http_get import Target


class Failure(Exception):
    """The action failed; the message is kubelet's. ``refused``: nobody listens on the port (yet)."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Impossible(Failure):
    """The action could not even be tried: a probe that ends so counts neither as failed nor as passed."""


class Actions:
    """Runs the actions of one container's probes and hooks, from its node."""

    def __init__(
        self, network: Network, clock: Clock, node: Place, container: Object, ip: str, *, hook: bool = False
    ) -> None:
        """For a ``hook`` any HTTP answer will do, as for kubelet."""
        self._network = network
        self._clock = clock
        self._node = node
        self._container = container
        self._ip = ip
        self._codes_matter = not hook

    async def run(self, action: Object, running: Running, seconds: float) -> None:
        """Do it within that many seconds. Raises `Failure`."""
        if "httpGet" in action:
            code = await self._http(action["httpGet"], seconds)
            if self._codes_matter and not 200 <= code < 400:
                raise Failure(f"HTTP probe failed with statuscode: {code}")
        elif "tcpSocket" in action:
            await self._tcp(action["tcpSocket"], seconds)
        elif "exec" in action:
            await self._exec(action["exec"].get("command") or [], running, seconds)
        elif "sleep" in action:
            await self._clock.sleep(float(action["sleep"].get("seconds", 0)))
        elif "grpc" in action:
            await self._grpc(action["grpc"], seconds)
        else:
            raise Impossible(
                f"there is no action {', '.join(action) or 'at all'}: use httpGet, tcpSocket, grpc or exec"
            )

    async def _exec(self, argv: list[str], running: Running, seconds: float) -> None:
        try:
            output = await execution.run(self._network, self._clock, running, argv, seconds)
        except TimeoutError:
            raise Failure(f'command timed out: "{" ".join(argv)}" timed out after {seconds:g}s') from None
        except StartFailed as error:
            raise Impossible(f"failed to exec in container: {error}") from error
        if output.code:
            raise Failure(output.text.decode(errors="replace"))

    async def _tcp(self, action: Object, seconds: float) -> None:
        host, port = action.get("host") or self._ip, self._port(action["port"])
        try:
            connection = await within(
                self._clock, seconds, self._network.connect(self._node, host, port, timeout_seconds=seconds)
            )
        except (OSError, TimeoutError) as error:
            raise _dial_failure(f"{host}:{port}", error, "") from error
        connection.close()

    async def _grpc(self, action: Object, seconds: float) -> None:
        host, port, service = self._ip, int(action["port"]), action.get("service") or ""
        to = f"{host}:{port}"
        try:
            status = await within(self._clock, seconds, self._health(host, port, service, seconds))
        except TimeoutError:
            late = "context deadline exceeded"
            raise Failure(f'timeout: failed to connect service "{to}" within {seconds:g}s: {late}') from None
        except OSError as error:
            refused = isinstance(error, ConnectionRefusedError)
            raise Failure(f'error: failed to connect service at "{to}": {error.strerror}', refused=refused) from error
        except grpc.NoHealthService as error:
            raise Failure(f"error: {error}") from error
        if status != "SERVING":
            raise Failure(f'service unhealthy (responded with "{status}")')

    async def _health(self, host: str, port: int, service: str, seconds: float) -> str:
        connection = await self._network.connect(self._node, host, port, timeout_seconds=seconds)
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            return await grpc.check(reader, writer, f"{host}:{port}", service)
        finally:
            writer.close()

    async def _http(self, action: Object, seconds: float) -> int:
        target = Target.of(action, action.get("host") or self._ip, self._port(action["port"]))
        said = f'Get "{target.url}": '
        try:
            return await within(self._clock, seconds, http_get.get(self._network, self._node, target, action, seconds))
        except TimeoutError as error:
            late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            raise Failure(said + late) from error
        except OSError as error:
            raise _dial_failure(f"{target.host}:{target.port}", error, said) from error
        except ValueError as error:
            raise Failure(said + str(error)) from error

    def _port(self, port: int | str) -> int:
        if isinstance(port, int) or port.isdigit():
            return int(port)
        for each in self._container.get("ports") or ():
            if each.get("name") == port:
                return int(each["containerPort"])
        raise Impossible(f"couldn't find port: {port}")


def _dial_failure(to: str, error: BaseException, said: str) -> Failure:
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError) or number is None:
        return Failure(f"{said}dial tcp {to}: i/o timeout" if isinstance(error, TimeoutError) else f"{said}{error}")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Failure(f"{said}read tcp {to}: read: {os.strerror(number).lower()}")
    text = os.strerror(number).lower()
    return Failure(f"{said}dial tcp {to}: connect: {text}", refused=isinstance(error, ConnectionRefusedError))
