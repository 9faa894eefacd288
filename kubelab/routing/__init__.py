"""Which backend a request belongs to, computed from Ingress and Gateway API objects: pure, the standard library only.

The ingress controller turns the `Table` into its proxy's configuration; the lab explains by the same table why a
request went where it went. Neither can know more than the other.
"""
