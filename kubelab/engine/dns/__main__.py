"""``python -m kubelab.engine.dns -conf /etc/coredns/Corefile``: the name server in its pod.

What it listens on, answers, writes and shows stands in the Corefile, of which it knows CoreDNS' most usual plugins
(`kubelab.engine.dns.instance.PLUGINS`). The exit code is 1 when it cannot start or must not go on.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from kubelab.engine.client import Client, HttpsTransport
from kubelab.engine.dns.corefile import CorefileError
from kubelab.engine.dns.instance import Surroundings
from kubelab.engine.dns.manifests import COREFILE
from kubelab.engine.dns.plugins.base import Fatal
from kubelab.engine.dns.plugins.prometheus import new_metrics
from kubelab.engine.dns.service import Service

log = logging.getLogger("kubelab.engine.dns")

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

RESOLV_CONF = Path("/etc/resolv.conf")
"""The machine's, as the pod's dnsPolicy is Default."""


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM. The exit code: 1 when the pod lacks what it needs."""
    parser = argparse.ArgumentParser(prog="coredns", description=__doc__)
    parser.add_argument("-conf", type=Path, help="the Corefile (without it: kubeadm's)")
    parser.add_argument("-dns.port", dest="port", type=int, default=53, help="of server blocks that name none")
    options = parser.parse_args(argv)
    logging.addLevelName(logging.CRITICAL, "FATAL")
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s", stream=sys.stdout)
    conf: Path | None = options.conf
    try:
        around = Surroundings(
            new_metrics(), in_cluster_client, _own_addresses(), RESOLV_CONF.read_text(errors="replace"), options.port
        )
        asyncio.run(_run(conf.read_text if conf else lambda: COREFILE, str(conf or "Corefile"), around))
    except CorefileError as error:
        _say(str(error))
        return 1
    except Fatal as error:
        log.critical("%s", error)
        return 1
    except (KeyError, OSError) as error:
        log.critical("the name server cannot start: %s", error)
        return 1
    return 0


async def _run(read: Callable[[], str], file: str, around: Surroundings) -> None:
    """Serve until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Service(read, file, around, say=_say).run(stop)


def _say(text: str) -> None:
    """As CoreDNS says what it is: without a level in front."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def in_cluster_client() -> Client:
    """The API by the address and the credentials that every pod is given."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    token = SERVICE_ACCOUNT / "token"
    ca_file = str(SERVICE_ACCOUNT / "ca.crt")
    return Client(HttpsTransport(f"https://{host}:{port}", ca_file=ca_file, token=token, user_agent="coredns"))


def _own_addresses() -> list[str]:
    """The pod's addresses, so that a resolv.conf that names them does not make the server ask itself."""
    try:
        return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)))
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
