"""The ingress controller: Ingresses, Gateways and HTTPRoutes in, Envoy's configuration out.

``python -m kubelab.engine.ingress`` runs it in a pod, where it is a client of the Kubernetes API like any other.

==================  ==================================================================================
``supervisor``      process 1 of the pod: keeps two Envoys and the controller running, drains at the end
``envoy``           the binary, its command line and its bootstrap configuration
``controller``      follows the objects, builds the table of routes, and has it served
``compile``         the table → what Envoy reads
``gateway``         an address for each Gateway, and the status of the objects of the Gateway API
``certificates``    Secrets → certificates that Envoy can take
``files``           Envoy's files, replaced in an order in which no moment is without a route
``admin``           what the Envoys say they serve
``reports``         the status and the Events of Ingresses
``manifests``       all of this as objects of the API
==================  ==================================================================================
"""
