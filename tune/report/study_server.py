"""The server that shows a sweep's study in optuna-dashboard, on this machine alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from data.errors import UserError
from trainables.extras import with_extra
from tune.records.sweep_folder import SweepFolder

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
PACKAGE, EXTRA = "optuna_dashboard", "dashboard"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several questions of a page at once."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing a question."""


def serve_study(folder: SweepFolder, *, port: int = 8080, ready: Callable[[str], None] | None = None) -> None:
    """Show a sweep's study until Ctrl+C; the URL is logged. port 0 takes a free one. ready: called with the URL.

    Raises UserError without the extra, without a study, or where the port cannot be had.
    """
    if find_spec(PACKAGE) is None:
        raise UserError(f"optuna-dashboard is not installed; use: {with_extra(EXTRA, 'dashboard …')}")
    if not folder.study.is_file():
        raise UserError(f"{folder.study}: the study is not there; has the sweep begun?")
    from optuna_dashboard import wsgi

    try:
        server = make_server(HOST, port, wsgi(f"sqlite:///{folder.study}"), _Server, _Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--port {port} cannot be had: {reason}; choose another, or 0 for a free one") from error
    url = f"http://{HOST}:{server.server_port}/dashboard/"
    logger.setLevel(logging.INFO)  # the URL is what was asked for
    logger.info("optuna-dashboard shows %s at %s (Ctrl+C stops it)", folder.name, url)
    if ready is not None:
        ready(url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        logger.info("optuna-dashboard stopped")
    finally:
        server.server_close()
