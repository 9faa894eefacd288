"""health, ready, reload: plugins that answer no questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.plugins.base import Pages, Plugin, Site, endpoint, options
from kubelab.engine.plain_http import Answer


class Health(Plugin):
    """``health [ADDRESS] { lameduck DURATION }``: says OK; goes on for a while after SIGTERM."""

    name = "health"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        self._endpoint = endpoint(directive.line, ":8080")
        self.lameduck = 0.0
        """Seconds for which questions are answered after SIGTERM, until nobody sends any more."""
        self.lameduck_text = ""
        options(directive, {"lameduck": self._lameduck})

    def _lameduck(self, line: Line) -> None:
        self.lameduck_text = line.only()
        self.lameduck = line.seconds(self.lameduck_text)

    def pages(self) -> Pages:
        """``/health``."""
        return {(self._endpoint, "/health"): lambda: Answer("OK")}


class Ready(Plugin):
    """``ready [ADDRESS]``: says OK once every plugin can answer, and which cannot before."""

    name = "ready"

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        self._endpoint = endpoint(directive.line, ":8181")
        options(directive, {})
        self.waits_for: Callable[[], list[str]] = list
        """Names of the plugins, in any server block, that are not ready."""

    def pages(self) -> Pages:
        """``/ready``."""
        return {(self._endpoint, "/ready"): self._answer}

    def _answer(self) -> Answer:
        missing = self.waits_for()
        return Answer(",".join(missing), 503) if missing else Answer("OK")


class Reload(Plugin):
    """``reload [INTERVAL [JITTER]]``: the Corefile is looked at now and then, and read again when it has changed.

    CoreDNS looks every 30 s, give or take 15, when no interval is given. Nobody learns by waiting: it is 2 s here, the
    shortest that CoreDNS allows.
    """

    name = "reload"
    SHORTEST_SECONDS = 2.0

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        super().__init__(directives, site)
        (directive,) = directives
        line = directive.line
        options(directive, {})
        if len(line.args) > 2:
            raise line.wrong_arguments()
        given = [line.seconds(text) for text in line.args]
        self.seconds = given[0] if given else self.SHORTEST_SECONDS
        if self.seconds < self.SHORTEST_SECONDS:
            raise line.wrong("interval value must be greater or equal to 2s")
        self.given = bool(given)
        """Whether the Corefile itself says how often."""
