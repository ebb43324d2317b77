"""Rejects a request whose body is too large, before it is in memory."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tune.serving.limits import MIB

PATIENCE = 8  # times the limit that is read and thrown away, so that a client that still sends gets the answer


class BodyLimit:
    """Middleware. most: bytes of a body. rejected: called for each that is larger."""

    def __init__(self, app: ASGIApp, most: int, rejected: Callable[[], None]) -> None:
        self._app, self._most, self._rejected = app, most, rejected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request with its whole body, or answer 413."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        kept: list[Message] = []
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if size <= self._most:
                kept.append(message)
            if not message.get("more_body", False) or size > PATIENCE * self._most:
                break
        if size > self._most:
            self._rejected()
            text = f"a body must have at most {self._most // MIB} MiB, and this one has more; send the series in parts"
            await JSONResponse({"detail": text}, 413, {"Connection": "close"})(scope, receive, send)
            return
        messages = iter(kept)

        async def again() -> Message:
            return next(messages, None) or await receive()

        await self._app(scope, again, send)
