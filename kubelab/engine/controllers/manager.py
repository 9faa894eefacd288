"""Runs every controller and the scheduler, each as a client of the API with a name of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Literal, Protocol, get_args

from kubelab.engine.client import Client
from kubelab.engine.controllers.clock import Clock, Steady, system_clock
from kubelab.engine.controllers.daemonset import DaemonSetController
from kubelab.engine.controllers.deployment import DeploymentController
from kubelab.engine.controllers.disruption import DisruptionController
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
from kubelab.engine.controllers.resourcequotas import ResourceQuotaController
from kubelab.engine.controllers.scheduler import Scheduler
from kubelab.engine.controllers.serviceaccounts import root_certificates, service_accounts
from kubelab.engine.controllers.statefulset import StatefulSetController

Part = Literal["controllers", "scheduler", "load balancers"]
"""What can be run apart: kube-controller-manager's share, kube-scheduler's, and what a cloud brings along."""

ALL: tuple[Part, ...] = get_args(Part)


class Controller(Protocol):
    """Anything that works until it is cancelled."""

    async def run(self) -> None:
        """Work until cancelled."""


async def run_controllers(
    client_for: Callable[[str], Client],
    *,
    ca_pem: str,
    clock: Clock = system_clock,
    steady: Steady = time.monotonic,
    parts: Collection[Part] = ALL,
) -> None:
    """Run until cancelled.

    ``client_for`` gives the client of a user name. ``ca_pem`` is the cluster's CA certificate, which every namespace
    gets as ConfigMap ``kube-root-ca.crt``.
    """
    informers = SharedInformers(client_for("system:kube-controller-manager"))
    controllers: list[Controller] = []
    if "scheduler" in parts:
        controllers.append(Scheduler(client_for("system:kube-scheduler"), informers, clock=clock))
    if "load balancers" in parts:
        account = client_for("system:serviceaccount:kube-system:service-controller")
        controllers.append(LoadBalancerController(account, informers))
    if "controllers" in parts:
        controllers += _controllers(client_for, informers, ca_pem, clock, steady)
    async with asyncio.TaskGroup() as group:
        group.create_task(informers.run())
        await informers.synced()
        for controller in controllers:
            group.create_task(controller.run())


def _controllers(
    client_for: Callable[[str], Client], informers: SharedInformers, ca_pem: str, clock: Clock, steady: Steady
) -> list[Controller]:
    """Those of kube-controller-manager."""

    def account(name: str) -> Client:
        return client_for(f"system:serviceaccount:kube-system:{name}")

    return [
        DeploymentController(account("deployment-controller"), informers, clock=clock),
        ReplicaSetController(account("replicaset-controller"), informers, clock=clock),
        DaemonSetController(account("daemon-set-controller"), informers, clock=clock, steady=steady),
        StatefulSetController(account("statefulset-controller"), informers, clock=clock),
        EndpointSliceController(account("endpointslice-controller"), informers),
        EndpointsController(account("endpoint-controller"), informers),
        EndpointSliceMirroringController(account("endpointslicemirroring-controller"), informers),
        service_accounts(account("service-account-controller"), informers),
        root_certificates(account("root-ca-cert-publisher"), informers, ca_pem),
        NamespaceController(account("namespace-controller"), informers, clock=clock),
        NodeLifecycleController(account("node-controller"), informers, clock=clock, steady=steady),
        TaintEvictionController(account("node-controller"), informers, clock=clock, steady=steady),
        PodGarbageCollector(account("pod-garbage-collector"), informers, clock=clock, steady=steady),
        DisruptionController(account("disruption-controller"), informers, clock=clock),
        ResourceQuotaController(account("resourcequota-controller"), informers, clock=clock),
        GarbageCollector(account("generic-garbage-collector"), informers),
    ]
