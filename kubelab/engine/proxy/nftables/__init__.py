"""The compiler of mode ``nftables``: Services and endpoints in, transactions for ``nft -f -`` out.

Objects, names, comments and the order in which they are written are those of kube-proxy 1.36. Services are written in
the order of their names (upstream: in no order), and so are endpoints that come from two lists.
"""

from kubelab.engine.proxy.nftables.compiler import Table, compile_table
from kubelab.engine.proxy.nftables.listing import Listing
from kubelab.engine.proxy.nftables.sync import Sync, changes, delete_chains, first_sync, sync

__all__ = ["Listing", "Sync", "Table", "changes", "compile_table", "delete_chains", "first_sync", "sync"]
