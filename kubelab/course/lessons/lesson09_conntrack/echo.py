"""A UDP server for lesson 9: answers every datagram with who it is and whom it saw. Any Python from 3.8 on will do."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

PORT = int(os.environ["PORT"])


def main() -> None:
    """Answer until SIGTERM, then end at once."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", PORT))
    print(f"answering on UDP port {PORT}", flush=True)
    while True:
        said, (peer, port) = server.recvfrom(2048)
        about = {"pod": os.environ["POD_NAME"], "uid": os.environ["POD_UID"], "peer": peer, "peer_port": port}
        try:
            server.sendto(json.dumps({"said": said.decode("utf-8", "replace"), **about}).encode(), (peer, port))
        except OSError as error:
            print(f"no answer to {peer}: {error}", flush=True)


if __name__ == "__main__":
    main()
