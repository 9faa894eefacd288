"""What probes and hooks do: an HTTP GET, a TCP connection, a command; and what kubelet says when it fails."""

from __future__ import annotations

import asyncio
import os
import ssl
from urllib.parse import quote

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Network, Place, StartFailed
from kubelab.engine.node import execution
from kubelab.engine.node.clock import Clock, within
from kubelab.engine.node.execution import Running

USER_AGENT = "kube-probe/1.36"
MOST_HEADER_BYTES = 64 * 1024


class Failure(Exception):
    """The action failed; the message is kubelet's. ``refused``: nobody listens on the port (yet)."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class Actions:
    """Runs the actions of one container's probes and hooks, from its node."""

    def __init__(self, network: Network, clock: Clock, node: Place, container: Object, ip: str) -> None:
        self._network = network
        self._clock = clock
        self._node = node
        self._container = container
        self._ip = ip

    async def run(self, action: Object, running: Running, seconds: float) -> None:
        """Do it within that many seconds. Raises `Failure`."""
        if "httpGet" in action:
            await self._http(action["httpGet"], seconds)
        elif "tcpSocket" in action:
            await self._tcp(action["tcpSocket"], seconds)
        elif "exec" in action:
            await self._exec(action["exec"].get("command") or [], running, seconds)
        elif "sleep" in action:
            await self._clock.sleep(float(action["sleep"].get("seconds", 0)))
        else:
            kind = "grpc" if "grpc" in action else ", ".join(action) or "empty"
            raise Failure(f"kubelab has no {kind} probe: use httpGet, tcpSocket or exec")

    async def _exec(self, argv: list[str], running: Running, seconds: float) -> None:
        try:
            output = await execution.run(self._network, self._clock, running, argv, seconds)
        except TimeoutError:
            raise Failure(f'command timed out: "{" ".join(argv)}" timed out after {seconds:g}s') from None
        except StartFailed as error:
            raise Failure(str(error)) from error
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

    async def _http(self, action: Object, seconds: float) -> None:
        host, port = action.get("host") or self._ip, self._port(action["port"])
        scheme = (action.get("scheme") or "HTTP").lower()
        path = action.get("path") or "/"
        path = quote(path if path.startswith("/") else f"/{path}", safe="/?&=%#:@!$'()*+,;~")
        said = f'Get "{scheme}://{host}:{port}{path}": '
        headers = {"Host": f"{host}:{port}", "User-Agent": USER_AGENT, "Accept": "*/*", "Connection": "close"}
        headers |= {each["name"].title(): each.get("value", "") for each in action.get("httpHeaders") or ()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        try:
            code = await within(self._clock, seconds, self._get(host, port, scheme == "https", request, seconds))
        except TimeoutError as error:
            late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            raise Failure(said + late) from error
        except OSError as error:
            raise _dial_failure(f"{host}:{port}", error, said) from error
        except ValueError as error:
            raise Failure(said + str(error)) from error
        if not 200 <= code < 400:
            raise Failure(f"HTTP probe failed with statuscode: {code}")

    async def _get(self, host: str, port: int, tls: bool, request: bytes, seconds: float) -> int:
        connection = await self._network.connect(self._node, host, port, timeout_seconds=seconds)
        try:
            reader, writer = await asyncio.open_connection(
                sock=connection, ssl=_unverified() if tls else None, server_hostname=host if tls else None
            )
        except BaseException:
            connection.close()
            raise
        try:
            writer.write(request)
            line = await reader.readline()
            version, _, rest = line.decode("latin-1").partition(" ")
            if not line:
                raise ValueError("EOF")
            if not version.startswith("HTTP/") or not rest[:3].isdigit():
                raise ValueError(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{version}"')
            return int(rest[:3])
        finally:
            writer.close()

    def _port(self, port: int | str) -> int:
        if isinstance(port, int) or port.isdigit():
            return int(port)
        for each in self._container.get("ports") or ():
            if each.get("name") == port:
                return int(each["containerPort"])
        raise Failure(f"couldn't find port {port} in container {self._container['name']}")


def _dial_failure(to: str, error: BaseException, said: str) -> Failure:
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError) or number is None:
        return Failure(f"{said}dial tcp {to}: i/o timeout" if isinstance(error, TimeoutError) else f"{said}{error}")
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Failure(f"{said}read tcp {to}: read: {os.strerror(number).lower()}")
    text = os.strerror(number).lower()
    return Failure(f"{said}dial tcp {to}: connect: {text}", refused=isinstance(error, ConnectionRefusedError))


def _unverified() -> ssl.SSLContext:
    # kubelet does not verify a probe's certificate (kubernetes.io: "HTTP probes").
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
