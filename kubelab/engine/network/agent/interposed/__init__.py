"""The network where nothing is allowed: no namespaces, no capabilities (Binder, a plain container).

Every node, pod and the outside has a loopback address of its own, and the agent answers for the system calls
of the programs in them (seccomp_unotify(2)): it binds their sockets to that address, picks the far end of a
connection by evaluating the node's packet-filter rules, and shows cluster addresses where the kernel would
show 127.x. Packets, sockets, blocking and errors stay the kernel's own.

========================  =====================================================================
``abi``, ``kernel``       system call numbers, structures and the few calls Python has no name for
``filter``                which calls stop for the agent
``notify``                one stopped call: its arguments, the caller's memory, the answer
``addresses``             cluster address ↔ loopback address
``routing``               where a packet from a place ends: routes between nodes, rules on each
``sockets``               the caller's own socket, in the agent's hands
``connecting`` …          what is answered, a family of calls a file
``supervisor``            calls to handlers
``programs``              programs started under supervision
``backend``               the agent's third backend
``probe``                 whether all this works on this machine
========================  =====================================================================
"""

from kubelab.engine.network.agent.interposed.backend import InterposedBackend

__all__ = ["InterposedBackend"]
