"""Runs every controller and the scheduler, each as a client of the API with a name of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from kubelab.engine.client import Client
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.deployment import DeploymentController
from kubelab.engine.controllers.endpoints import (
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
)
from kubelab.engine.controllers.garbage import GarbageCollector
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.loadbalancers import LoadBalancerController
from kubelab.engine.controllers.namespace import NamespaceController
from kubelab.engine.controllers.nodes import NodeLifecycleController, PodGarbageCollector, TaintEvictionController
from kubelab.engine.controllers.replicaset import ReplicaSetController
from kubelab.engine.controllers.scheduler import Scheduler
from kubelab.engine.controllers.serviceaccounts import root_certificates, service_accounts


class Controller(Protocol):
    """Anything that works until it is cancelled."""

    async def run(self) -> None:
        """Work until cancelled."""


async def run_controllers(client_for: Callable[[str], Client], *, ca_pem: str, clock: Clock = system_clock) -> None:
    """Run until cancelled.

    ``client_for`` gives the client of a user name. ``ca_pem`` is the cluster's CA certificate, which every namespace
    gets as ConfigMap ``kube-root-ca.crt``.
    """

    def account(name: str) -> Client:
        return client_for(f"system:serviceaccount:kube-system:{name}")

    informers = SharedInformers(client_for("system:kube-controller-manager"))
    controllers: Sequence[Controller] = [
        DeploymentController(account("deployment-controller"), informers, clock=clock),
        ReplicaSetController(account("replicaset-controller"), informers, clock=clock),
        Scheduler(client_for("system:kube-scheduler"), informers, clock=clock),
        EndpointSliceController(account("endpointslice-controller"), informers),
        EndpointsController(account("endpoint-controller"), informers),
        EndpointSliceMirroringController(account("endpointslicemirroring-controller"), informers),
        LoadBalancerController(account("service-controller"), informers),
        service_accounts(account("service-account-controller"), informers),
        root_certificates(account("root-ca-cert-publisher"), informers, ca_pem),
        NamespaceController(account("namespace-controller"), informers, clock=clock),
        NodeLifecycleController(account("node-controller"), informers, clock=clock),
        TaintEvictionController(account("node-controller"), informers, clock=clock),
        PodGarbageCollector(account("pod-garbage-collector"), informers, clock=clock),
        GarbageCollector(account("generic-garbage-collector"), informers),
    ]
    async with asyncio.TaskGroup() as group:
        group.create_task(informers.run())
        await informers.synced()
        for controller in controllers:
            group.create_task(controller.run())
