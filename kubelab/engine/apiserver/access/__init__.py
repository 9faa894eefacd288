"""Who may do what: authorization by nodes and roles, and what guards the roles themselves."""

from kubelab.engine.apiserver.access.attributes import Attributes, attributes_of, attributes_to_create, verb_of
from kubelab.engine.apiserver.access.authorizer import Authorizer, forbidden_deed

__all__ = ["Attributes", "Authorizer", "attributes_of", "attributes_to_create", "forbidden_deed", "verb_of"]
