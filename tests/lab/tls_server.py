"""A small TLS server for tests: serves certificates by SNI, and others when a line on standard input says so.

``python tls_server.py [ADDRESS]``. A line is JSON: SNI → [certificates, key], both PEM; ``""`` is the default. The
first line starts it: it writes its port, and after every further line that it has taken it up.
"""

import json
import socket
import ssl
import sys
import tempfile
import threading


def context(certificates, key):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")  # serves weak keys too
    made.set_alpn_protocols(["h2", "http/1.1"])
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(certificates + key)
        file.flush()
        made.load_cert_chain(file.name)
    return made


class Server:
    def __init__(self, address):
        self.contexts = {}
        self.listener = socket.create_server((address, 0), backlog=128)
        self.first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def take_up(self, line):
        self.contexts = {name: context(*pair) for name, pair in json.loads(line).items()}
        for made in self.contexts.values():
            made.sni_callback = self.pick
        self.first = self.contexts[""]

    def pick(self, peer, name, _):
        peer.context = self.contexts.get(name, self.first)

    def serve(self):
        while True:
            raw, _ = self.listener.accept()
            threading.Thread(target=self.shake, args=(raw,), daemon=True).start()

    def shake(self, raw):
        try:
            with self.first.wrap_socket(raw, server_side=True) as peer:
                peer.recv(1)
        except OSError:
            raw.close()


def main():
    server = Server(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1")
    server.take_up(sys.stdin.readline())
    threading.Thread(target=server.serve, daemon=True).start()
    print(server.listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        server.take_up(line)
        print("taken up", flush=True)


if __name__ == "__main__":
    main()
