"""The command serve: a checkpoint's forecasts over HTTP."""

from __future__ import annotations

from typing import Annotated

from data.errors import UserError
from tune.cli.console import make_console
from tune.cli.forecasts import MODEL, Checkpoint, ContextLength, Gpus, Norm, PredictionLength, Trust, silence_libraries
from tune.cli.options import option
from tune.format import count_text

SERVER, LIMITS = "Server", "Limits"


def serve(
    checkpoint: Checkpoint,
    host: Annotated[
        str, option("The address to listen at; another than this machine's own lets others in.", SERVER)
    ] = "127.0.0.1",
    port: Annotated[int, option("The port; 0 takes a free one.", SERVER)] = 8000,
    context_length: ContextLength = None,
    prediction_length: PredictionLength = None,
    freq: Annotated[
        str | None, option("The step of the series, such as h or D; else as in training, or any.", MODEL)
    ] = None,
    norm: Norm = None,
    gpus: Gpus = None,
    trust: Trust = None,
    max_batch: Annotated[int, option("Series a forward pass.", LIMITS)] = 64,
    max_wait: Annotated[float, option("Milliseconds that a series waits for others to join its batch.", LIMITS)] = 5.0,
    max_body: Annotated[int, option("MiB of a request.", LIMITS)] = 16,
    max_series: Annotated[int, option("Series of a request.", LIMITS)] = 1000,
    max_values: Annotated[int, option("Values of a series.", LIMITS)] = 100_000,
    max_waiting: Annotated[
        int, option("Series that may wait; beyond, a request is answered with 503.", LIMITS)
    ] = 10_000,
) -> None:
    """Answer requests for forecasts over HTTP with a checkpoint, on this machine only.

    POST /predict takes series as JSON and gives their forecasts, GET /health says what the server does, and /docs
    describes both, with an example to try.
    """
    silence_libraries()
    from tune.serving.limits import Limits
    from tune.serving.server import check_installed

    limits = Limits(max_batch, max_wait, max_body, max_series, max_values, max_waiting)
    check_installed()
    from tune.serving import server
    from tune.serving.request import ServedRequest

    if not host.strip():
        raise UserError("--host must be an address or a name, such as 127.0.0.1, got an empty one")
    console = make_console()
    request = ServedRequest(
        checkpoint=checkpoint,
        trust=trust,
        context_length=context_length,
        prediction_length=prediction_length,
        freq=freq,
        norm=norm,
        gpus=gpus,
    )
    answered = server.serve(request, limits, host=host, port=port, say=lambda text: console.print(text, soft_wrap=True))
    console.print(f"stopped; {count_text(answered, 'request')} answered")
