"""The language of ``nft``: words read into the shape of ``nft -j`` (libnftables-json(5)), and printed again."""
