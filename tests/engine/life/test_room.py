from __future__ import annotations

import subprocess
import sys

CODE = """
import asyncio, os, resource, ssl, sys
from asyncio import sslproto
os.umask(int(sys.argv[1], 8))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
from kubelab.engine.room import ENOUGH_FILES, TLS_BUFFER_BYTES, make_room
make_room()
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
loop = asyncio.new_event_loop()
connection = sslproto.SSLProtocol(loop, asyncio.Protocol(), ssl.create_default_context(), None)
print(oct(os.umask(0)), soft in (ENOUGH_FILES, hard), len(connection.get_buffer(-1)) == TLS_BUFFER_BYTES)
loop.close()
"""


def test_any_shell_gives_an_engine_with_room_for_a_thousand_watches():
    for umask in ("000", "077"):
        done = subprocess.run([sys.executable, "-c", CODE, umask], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("0o22 True True\n", "")
