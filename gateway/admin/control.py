"""What the gateway's own routes look at, and who may ask."""

from __future__ import annotations

from fastapi import Request

from gateway.admin.recording import Noted, noted
from gateway.audit.log import AuditLog
from gateway.call import Principal
from gateway.errors import Draining, Forbidden
from gateway.feeds.subscribers import Subscribers
from gateway.filters.authenticate import Verifier, identify
from gateway.filters.stopped import check
from gateway.ingress.framing import read_headers
from gateway.means import Means
from gateway.runtime import Runtime
from gateway.serving import Serving


class Control:
    """What is served now; nothing is attached before start-up ends and after shutdown begins."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        self.audit: AuditLog | None = None
        self._verifier: Verifier | None = None
        self.subscribers = Subscribers()

    def attach(self, runtime: Runtime, audit: AuditLog, verifier: Verifier) -> None:
        """Gives the routes something to look at."""
        self.runtime, self.audit, self._verifier = runtime, audit, verifier

    def detach(self) -> None:
        """Takes it away again: the gateway isn't ready any more."""
        self.runtime = None

    def drain(self) -> None:
        """From now on the gateway says that it isn't ready; it still serves."""
        if self.runtime is not None:
            self.runtime.draining = True

    def ready(self) -> tuple[bool, str]:
        """Whether new work should come here, and why not."""
        if self.runtime is None or self.runtime.serving is None:
            return False, "starting"
        if self.runtime.draining:
            return False, "draining"
        if self.audit is None or not self.audit.healthy:
            return False, "the audit log can't be written"
        return True, "ready"

    def serving(self) -> Serving:
        """The snapshot that is served; raises `Draining` when there is none."""
        if self.runtime is None or self.runtime.serving is None:
            raise Draining("The gateway isn't serving.", retry_after=1)
        return self.runtime.serving

    def means(self) -> Means:
        """What the gateway works with; raises `Draining` when it doesn't serve."""
        if self.runtime is None:
            raise Draining("The gateway isn't serving.", retry_after=1)
        return self.runtime.means

    async def principal(self, request: Request) -> Principal:
        """Who asks; raises a `Problem` when that can't be told."""
        if self._verifier is None:
            raise Draining("The gateway isn't serving.", retry_after=1)
        headers = read_headers(request.scope["headers"], request.scope["http_version"])
        client = request.scope.get("client")
        principal = await identify(self._verifier, client[0] if client else None, headers)
        noted(request.scope).principal = principal
        return principal

    async def admit(self, request: Request, permission: str) -> Principal:
        """Who asks, if a policy gives them the permission; raises a `Problem` else. The audit learns what decided."""
        principal = await self.principal(request)
        # Who is stopped changes nothing of the gateway either: not even that.
        await check(self.means().governance.stops, principal, None)
        self.permit(principal, permission, noted(request.scope))
        return principal

    def permit(self, principal: Principal, permission: str, note: Noted | None = None) -> None:
        """Raises `Forbidden` unless a policy gives `principal` the permission."""
        serving = self.serving()
        decision = serving.policies.permits(principal, permission)
        if note is not None:
            note.policies, note.snapshot = decision.policies, serving.version
        if not decision.allowed:
            raise Forbidden(
                "No policy lets you do this.",
                fix=f'Ask the owner of the gateway\'s policies for Action::"{permission}".',
            )
