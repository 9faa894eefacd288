"""From Services and pods to endpoints: EndpointSlices, and the older Endpoints beside them."""

from kubelab.engine.controllers.endpoints.endpoints_controller import EndpointsController
from kubelab.engine.controllers.endpoints.mirroring import EndpointSliceMirroringController
from kubelab.engine.controllers.endpoints.slices_controller import EndpointSliceController

__all__ = ["EndpointSliceController", "EndpointSliceMirroringController", "EndpointsController"]
