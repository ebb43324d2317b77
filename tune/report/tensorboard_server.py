"""The server that shows a sweep in TensorBoard, on this machine alone."""

from __future__ import annotations

import ipaddress
import logging
import mimetypes
import time
from pathlib import Path

from data.errors import UserError
from tune.records.sweep_folder import SweepFolder
from tune.report.tensorboard.messages import EVENT_FILES

logger = logging.getLogger(__name__)

VALIDATION_VIEW = "?tagFilter=%5Eval_&smoothing=0#timeseries"


def serve(folder: SweepFolder, *, port: int = 6006, host: str = "127.0.0.1") -> None:
    """Show a sweep in TensorBoard until Ctrl+C; the URL is logged. port 0 takes a free one.

    A sweep of an older foretune has its event files in the trials' folders, and is shown as it is.
    Raises UserError if the folder holds no event files, the host is not this machine, or the port cannot be had.
    """
    shown = next((each for each in (folder.tensorboard, folder.path) if any(each.glob(f"*/{EVENT_FILES}"))), None)
    if shown is None:
        raise UserError(f"{folder.path}: TensorBoard needs event files, and there are none; has the sweep begun?")
    if host != "localhost" and not _is_loopback(host):
        raise UserError(f"TensorBoard has no password: host must be this machine's own, got {host!r}")
    url = _launch(shown, folder.name, port, host)
    logger.setLevel(logging.INFO)  # the URL is what was asked for: it is printed even where only warnings are
    try:
        logger.info("TensorBoard shows %s at %s (Ctrl+C stops it)", folder.name, url)
        logger.info("its validation curves alone, as they are: %s%s", url, VALIDATION_VIEW)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        logger.info("TensorBoard stopped")


def _launch(shown: Path, title: str, port: int, host: str) -> str:
    """Start the server in a thread of this process; return its URL."""
    from tensorboard import default, program
    from tensorboard.plugins.hparams import metrics

    # On Windows HPARAMS looks for metrics in the run 't0001\\' and finds none: os.path.join adds the separator.
    metrics.run_tag_from_session_and_metric = lambda run, metric: (str(Path(run, metric.group)), metric.tag)
    mimetypes.add_type("text/javascript", ".js")  # a Windows registry may say otherwise, and the page stays blank
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of every report that came again
    server = program.TensorBoard(plugins=default.get_plugins())
    # read in this process: a data server is another process to end, and Windows has none
    server.configure(logdir=str(shown), port=port, host=host, load_fast="false", window_title=title)
    try:
        return str(server.launch())
    except program.TensorBoardPortInUseError as error:
        raise UserError(f"--port {port} is taken; choose another, or 0 for a free one") from error
    except (program.TensorBoardServerException, OverflowError) as error:
        raise UserError(f"--port {port} on {host} cannot be had: {getattr(error, 'msg', error)}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
