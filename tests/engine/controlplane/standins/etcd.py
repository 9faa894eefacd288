"""A stand-in for etcd: it listens as told, wants the right client certificates and says that it is well."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from common import flags, serve_health, server_tls


async def main() -> None:
    given = flags("etcd")
    for urls, cert, key, ca in (
        ("listen-client-urls", "cert-file", "key-file", "trusted-ca-file"),
        ("listen-peer-urls", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file"),
    ):
        url = urlsplit(given[urls])
        assert url.scheme == "https" and url.hostname and url.port
        tls = server_tls(given[cert], given[key], given[ca], required=True)
        await serve_health(url.hostname, url.port, tls, b'{"health":"true","reason":""}')
    await asyncio.Event().wait()


asyncio.run(main())
