"""The control socket: how the command line and the lessons talk to a running engine, besides the Kubernetes API.

A unix socket in the state directory, one call a connection, JSON lines. ``client`` is the standard library only
and blocks; ``server`` belongs to the engine's event loop. Nobody imports both.

Request   ``{"op": "status", "arguments": {…}}``, with up to three file descriptors (SCM_RIGHTS)
Answer    ``{"result": {…}}`` or ``{"error": "One sentence."}``
Between   the client may send ``{"signal": 2}``; it ends the call by closing its side

What an engine answers to, and what it answers with:

``status``  ``{"wait": bool}``: answer only when it is ready
            → ``{"ready": bool, "detail": str, "tier": str, "server": str, "nodes": [str, …], "pid": int}``
``run``     ``{"place": "node/NAME" | "outside" | "pod/UID", "argv": […], "stdin": str, "timeout_seconds": float}``
            → ``{"code": int, "stdout": str, "stderr": str}``
``start``   ``{"place": …, "argv": […], "tty": bool, "env": {…}}`` with stdin, stdout, stderr as descriptors
            → ``{"code": int}`` when it has ended
``reset``   → ``{}`` when the cluster is empty again
``proxy-mode``  ``{"mode": str}``: switch to it first; without it only ask
            → ``{"modes": {NODE: "iptables" | "nftables" | "ipvs" | "" where nobody answers}}``
``cut``     ``{"node": NAME}``: its agent and kube-proxy lose the API until ``mend`` (the same) or ``reset``; → ``{}``
``down``    → ``{}`` at once; the engine ends after that
"""
