"""How foretune wants Ray and its workers: quiet, local, on loopback; set in the environment before Ray is imported."""

from __future__ import annotations

import os

# Read by Ray when it is imported, so they are set when this module is.
SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` makes Ray ship the working directory to its workers
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps every listener on loopback
    # a token of this session's own: with the mode set and no token, Ray's processes die on a machine new to Ray
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": os.urandom(32).hex(),
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # Ray's own out-of-memory kill would end the whole sweep
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # a resume reads our own journal and the study, not Ray's snapshot, which grows with the trials: at the end alone
    "TUNE_GLOBAL_CHECKPOINT_S": str(10**9),
    # a thread that waits sleeps: spinning ones, torch's default, made a step 3 to 20 times slower beside other work
    "OMP_WAIT_POLICY": "PASSIVE",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
if "RAY_ADDRESS" in os.environ:  # somebody's cluster has its own token
    del SETTINGS["RAY_AUTH_MODE"], SETTINGS["RAY_AUTH_TOKEN"]
os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
