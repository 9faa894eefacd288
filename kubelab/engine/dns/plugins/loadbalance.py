"""loadbalance: addresses in another order every time."""

from __future__ import annotations

from collections.abc import Sequence

from kubelab.engine.dns.corefile import Directive
from kubelab.engine.dns.plugins.base import Handler, Plugin, Query, Reply, Site, options


class LoadBalance(Plugin):
    """``loadbalance [round_robin]``. So clients that take the first address spread over all of them."""

    name = "loadbalance"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        options(directive, {})
        if len(directive.line.args) > 1:
            raise directive.line.wrong_arguments()
        if directive.line.args not in ((), ("round_robin",)):
            raise directive.line.wrong(f"unknown policy: {directive.line.args[0]}")

    def wrap(self, following: Handler) -> Handler:
        """Shuffle what comes back."""

        async def handle(query: Query) -> Reply:
            reply = await following(query)
            return Reply(reply.message.shuffled(), self.name)

        return handle
