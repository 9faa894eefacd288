"""A kind cluster (https://kind.sigs.k8s.io): nodes are containers of Docker, Podman or nerdctl.

*Who answers for LoadBalancer and Ingress here.* There were two candidates:

cloud-provider-kind, kind's own, is a process that holds the container engine's socket. It takes up every kind cluster
of the machine, those that are none of kubelab's too. A load balancer of it is an Envoy in a container in front of
NodePorts, so what lesson 8 looks at (which node an address leads to, whose address the server sees) is that Envoy's.
Its Ingress is translated into Gateway objects and deviates from the specification: a wildcard host stands for several
labels, and a hundred requests need not reach all pods (its own CI leaves out these two scenarios of the conformance
suite). Its class has another name, and rootless Podman is not among what it supports.

A controller in the cluster has none of these deviations, and kubelab's own is the one whose answers the lessons show.
What it lacks is an image in a registry: so the image is built on the spot (`image.py`) from the lessons' Python image
and the package as it is installed here. The same image is the *outside*: one container on the nodes' network, which
gives Services their addresses and carries packets for them to healthy nodes as the embedded cluster's outside does
(`street.py`), and in which a client stands that is no part of the cluster.

What is lacking then: without a way to build the image (no network, no package index) there is no capability
``ingress`` and no ``outside client``; everything else is there, and ``kubelab status`` says why. Load balancers'
addresses lead from the outside only, not from the host; the host has the mapped ports of 127.0.0.1.
"""
