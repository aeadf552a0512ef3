"""The gateway's own routes as FastAPI sees them. What a subject offers is its `PLACES`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import APIRouter, Request, Response
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address

from gateway.admin.control import Control
from gateway.admin.recording import noted
from gateway.errors import MEDIA_TYPE, MethodNotAllowed, NoSuchRoute, Problem
from gateway.limit_errors import RateLimited

_OFTEN = "2000/minute"
"""How often an address may ask one of these routes, in one process."""
_MINUTE = 60
_MOST_NOTED = 64

Answer: TypeAlias = Callable[[Control, Request], Awaitable[Response]]


class _Limiter(Limiter):
    """slowapi as this file sets it, and not as the environment or a file `.env` might."""

    def get_app_config(self, key: str, default_value: Any = None) -> Any:
        return default_value


@dataclass(frozen=True, slots=True)
class Place:
    """One route of the gateway's own. With a `permission`, only who has it comes in; without one, `answer` decides."""

    path: str
    answer: Answer
    permission: str | None = None
    methods: tuple[str, ...] = ("GET", "HEAD")
    unlimited: bool = False
    """Whether it may be asked as often as one likes: what tells whether the gateway lives."""


def control_routes(control: Control, places: tuple[Place, ...]) -> APIRouter:
    """The places as one router."""
    router = APIRouter()
    limiter = _Limiter(key_func=get_remote_address)
    for place in places:
        router.add_api_route(place.path, _bound(control, place, limiter), methods=list(place.methods))
    return router


def _bound(control: Control, place: Place, limiter: Limiter) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if place.permission is not None:
            request.state.principal = await control.admit(request, place.permission)
        return await place.answer(control, request)

    # slowapi counts by the function's name.
    answer.__name__ = f"{'_'.join(place.methods)} {place.path}"
    guarded = answer if place.unlimited else limiter.limit(_OFTEN)(answer)

    async def endpoint(request: Request) -> Response:
        note = noted(request.scope)
        note.route, note.operation = place.path, place.permission or ""
        if request.path_params:
            # Which one was asked for: an id, a name.
            note.facts["asked"] = {name: str(value)[:_MOST_NOTED] for name, value in request.path_params.items()}
        try:
            response: Response = await guarded(request)
        except RateLimitExceeded:
            fix = f"Ask again within a minute, and no more than {_OFTEN.replace('/', ' times a ')}."
            return _told(RateLimited("This address asks too often.", fix=fix, retry_after=_MINUTE), request)
        except Problem as problem:
            return _told(problem, request)
        return response

    return endpoint


async def no_such_place(request: Request, error: Exception) -> Response:
    """FastAPI's own 404 and 405 as problems."""
    allow = (getattr(error, "headers", None) or {}).get("Allow")
    if allow is None:
        return _told(NoSuchRoute("The gateway has nothing at this path."), request)
    return _told(MethodNotAllowed(f"This path takes {allow}.", headers=[(b"allow", allow.encode())]), request)


def _told(problem: Problem, request: Request) -> Response:
    note = noted(request.scope)
    note.problem = problem.slug
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    if problem.retry_after is not None:
        headers["retry-after"] = str(round(problem.retry_after))
    return Response(problem.encode(f"urn:figway:call:{note.id}"), problem.status, headers, MEDIA_TYPE.decode())
