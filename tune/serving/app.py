"""The web application: what it answers, and how it says no."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from numpy.typing import NDArray
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from data.errors import UserError
from tune.forecasts.quantiles import between_levels, check_levels
from tune.serving.batcher import Batcher, FullError
from tune.serving.body import BodyLimit
from tune.serving.limits import Limits
from tune.serving.messages import (
    Health,
    Mistake,
    PredictRequest,
    PredictResponse,
    SeriesForecast,
    example,
)
from tune.serving.mistakes import UNREADABLE, request_mistakes
from tune.serving.served_model import ServedModel, Window, WindowForecast

logger = logging.getLogger(__name__)

DEFAULT_LEVELS = (0.1, 0.5, 0.9)
DESCRIPTION = """Forecasts of the series that a request brings, by one checkpoint. What comes within a few milliseconds
is forecast in one forward pass; a forecast does not depend on what else is in it."""


@dataclass
class Served:
    """The model, its queue, and what has been answered."""

    model: ServedModel
    limits: Limits
    batcher: Batcher[Window, WindowForecast]
    started: float = field(default_factory=time.monotonic)
    requests: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, model: ServedModel, limits: Limits) -> Served:
        batcher = Batcher(
            model.forecast,
            most=limits.max_batch,
            wait_seconds=limits.max_wait / 1000,
            most_waiting=limits.max_waiting,
        )
        return cls(model, limits, batcher)

    async def predict(self, request: PredictRequest) -> PredictResponse:
        """Forecast; UserErrors for what the client can fix, FullError where the queue has no room."""
        levels, steps = self._check(request)
        windows = await run_in_threadpool(self._windows, request)
        found = await self.batcher.answer(windows)
        forecasts = [_answer(*pair, levels, steps) for pair in zip(windows, found, strict=True)]
        return PredictResponse(model=self.model.checkpoint.title, prediction_length=steps, forecasts=forecasts)

    def _check(self, request: PredictRequest) -> tuple[tuple[float, ...], int]:
        """Return the levels and the number of steps that are wanted."""
        limits, longest = self.limits, self.model.spec.prediction_length
        steps = longest if request.prediction_length is None else request.prediction_length
        if steps > longest:
            raise UserError(
                f"prediction_length must be from 1 to {longest}, which the server was started for, got {steps}; start "
                f"it with --prediction-length {steps} if the model can"
            )
        if len(request.series) > limits.max_series:
            raise UserError(
                f"a request has at most {limits.max_series} series, got {len(request.series)}; send them in parts"
            )
        for number, series in enumerate(request.series, 1):
            if len(series.values) > limits.max_values:
                raise UserError(
                    f"series {number}: a series has at most {limits.max_values} values, got {len(series.values)}; send "
                    f"the last of them, {self.model.spec.context_length} at least"
                )
        if request.quantiles is None:
            return (DEFAULT_LEVELS if self.model.has_quantiles else ()), steps
        if request.quantiles and not self.model.has_quantiles:
            raise UserError(
                "quantiles need a model that forecasts a distribution, and this one forecasts points; leave them out"
            )
        check_levels(request.quantiles, name="quantiles")
        return tuple(dict.fromkeys(request.quantiles)), steps

    def _windows(self, request: PredictRequest) -> list[Window]:
        """Return what the model sees of each series; a UserError with all mistakes, a line each."""
        windows, mistakes = [], []
        for number, series in enumerate(request.series, 1):
            try:
                windows.append(self.model.window(series, number))
            except UserError as error:
                mistakes.append(str(error))
        if mistakes:
            raise UserError("\n".join(mistakes))
        return windows

    def reject(self) -> None:
        """Count a request that is answered with an error."""
        self.rejected += 1

    def health(self) -> Health:
        """Say what the server is and does."""
        model, batcher = self.model, self.batcher
        return Health(
            status="ok",
            version=version("foretune"),
            checkpoint=model.checkpoint.name,
            model=model.checkpoint.trainable,
            device=str(model.loaded.device),
            precision=model.loaded.precision,
            context_length=model.spec.context_length,
            prediction_length=model.spec.prediction_length,
            frequency=model.freq,
            norm=model.norm,
            has_quantiles=model.has_quantiles,
            uptime_seconds=time.monotonic() - self.started,
            requests=self.requests,
            rejected=self.rejected,
            series=batcher.answered,
            batches=batcher.batches,
            max_batch=self.limits.max_batch,
            waiting=batcher.waiting,
        )


def make_app(served: Served, *, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """Make the application. hosts: the names under which it may be asked; others are rejected."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(served.batcher.run())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    app = FastAPIOffline(
        title="foretune", summary=served.model.checkpoint.title, description=DESCRIPTION, version=version("foretune"),
        lifespan=lifespan, redoc_url=None,
    )  # fmt: skip
    app.add_middleware(BodyLimit, most=served.limits.body_bytes, rejected=served.reject)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    _add_routes(app, served)
    _add_mistakes(app, served)
    return app


def _add_routes(app: FastAPI, served: Served) -> None:
    model = served.model
    shown = example(
        model.spec.context_length, model.spec.prediction_length, model.freq, has_quantiles=model.has_quantiles
    )
    wrong: dict[int | str, dict[str, Any]] = {
        code: {"model": Mistake, "description": HTTPStatus(code).phrase} for code in (400, 413, 422, 500, 503)
    }

    @app.post("/predict", summary="Forecast series", responses=wrong,
              openapi_extra={"requestBody": {"content": {"application/json": {"example": shown}}}})  # fmt: skip
    async def predict(request: PredictRequest) -> PredictResponse:
        """Forecast each series after its last value, in its own units; what is missing in it may be null."""
        answer = await served.predict(request)
        served.requests += 1
        return answer

    @app.get("/health", summary="What the server is and does")
    async def health() -> Health:
        """The checkpoint, its lengths, what has been answered, and what waits."""
        return served.health()

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")


def _add_mistakes(app: FastAPI, served: Served) -> None:
    """Say every mistake in one form, {"detail": text}."""

    def rejects(code: int, say: Callable[[Exception], str]) -> Callable[[Request, Exception], JSONResponse]:
        def handle(request: Request, error: Exception) -> JSONResponse:
            if request.url.path == "/predict":
                served.reject()
            return JSONResponse({"detail": say(error)}, code)

        return handle

    def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        if error.status_code in (404, 405):
            detail = f"there is no {request.method} {request.url.path}; see /docs for what there is"
            return JSONResponse({"detail": detail}, error.status_code, error.headers)
        detail = UNREADABLE if error.status_code == 400 else str(error.detail)
        return rejects(error.status_code, lambda _: detail)(request, error)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        code, detail = request_mistakes(error.errors())
        return rejects(code, lambda _: detail)(request, error)

    def failed(request: Request, error: Exception) -> JSONResponse:
        logger.error("a request failed", exc_info=error)
        return rejects(500, lambda _: "the server failed; its log has the reason")(request, error)

    full = f"the queue must not be longer than {served.limits.max_waiting} series; try again in a moment"
    app.add_exception_handler(UserError, rejects(422, str))
    app.add_exception_handler(FullError, rejects(503, lambda _: full))
    app.add_exception_handler(StarletteHTTPException, http)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, failed)


def _answer(window: Window, found: WindowForecast, levels: Sequence[float], steps: int) -> SeriesForecast:
    grid, point = window.grid, _plain(found.point[:steps])
    times = None if grid.start is None else grid.times(grid.rows, steps)
    quantiles = {} if found.quantiles is None else between_levels(found.quantiles[None, :, :steps], levels)[0]
    return SeriesForecast(
        name=grid.name,
        frequency=grid.freq,
        timestamps=times,
        point=point,
        median=None if found.quantiles is None else point,
        quantiles={f"{level:.15g}": _plain(row) for level, row in zip(levels, quantiles, strict=True)},
        notes=list(window.notes),
    )


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
