"""Measures the server with concurrent clients, their requests batched beside one after the other, in one run.

    python tests/benchmarks/bench_serve.py [--checkpoint moirai-tiny] [--context-length 256] [--prediction-length 64]
        [--requests 160] [--rounds 3]

Both servers run all the time, each in a process of its own, and are asked in turn, round after round, so that a noisy
machine troubles both. A client asks for one series on one connection, and again when it has its answer. The figures
are those of each server's best round, by requests a second; the ratio is of these.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.tune.serving.running import command

CLIENTS = (1, 8, 32)
WAYS = {"batched": (), "one by one": ("--max-batch", 1, "--max-wait", 0)}


@dataclass(frozen=True)
class Round:
    """Requests a second, and the latency of half and of nearly all of them in milliseconds."""

    rate: float
    p50: float
    p95: float


def ask(url: str, count: int, body: bytes) -> list[float]:
    """Ask so many times over one connection; return what each took, in seconds."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        taken.append(time.perf_counter() - began)
    connection.close()
    return taken


def measure(url: str, clients: int, requests: int, bodies: Sequence[bytes]) -> Round:
    """Let clients ask at once."""
    each = max(1, requests // clients)
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        parts = list(threads.map(lambda i: ask(url, each, bodies[i]), range(clients)))
    seconds = time.perf_counter() - began
    taken = np.concatenate(parts) * 1000
    return Round(each * clients / seconds, float(np.quantile(taken, 0.5)), float(np.quantile(taken, 0.95)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="moirai-tiny")
    parser.add_argument("--context-length", type=int, default=256)
    parser.add_argument("--prediction-length", type=int, default=64)
    parser.add_argument("--requests", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    series = rng.normal(100, 9, (max(CLIENTS), args.context_length)).round(2)
    bodies = [json.dumps({"series": {"values": values}}).encode() for values in series.tolist()]
    lengths = ("--context-length", args.context_length, "--prediction-length", args.prediction_length)
    best: dict[tuple[int, str], Round] = {}
    with ExitStack() as stack:
        urls = {}
        for way, options in WAYS.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _, client = stack.enter_context(command(args.checkpoint, *lengths, *options, cwd=folder))
            urls[way] = client.url
            measure(client.url, 8, 16, bodies)  # warm
        for _ in range(args.rounds):
            for clients in CLIENTS:
                for way, url in urls.items():
                    found = measure(url, clients, args.requests, bodies)
                    before = best.get((clients, way), found)
                    best[clients, way] = max(found, before, key=lambda r: r.rate)
    print(f"{args.checkpoint}, {args.context_length} -> {args.prediction_length}, one series a request\n")
    print("| clients | batched: requests/s | p50 | p95 | one by one: requests/s | p50 | p95 | ratio |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for clients in CLIENTS:
        one, other = (best[clients, way] for way in WAYS)
        cells = [f"{r.rate:.1f} | {r.p50:.0f} ms | {r.p95:.0f} ms" for r in (one, other)]
        print(f"| {clients} | {' | '.join(cells)} | {one.rate / other.rate:.2f} |")


if __name__ == "__main__":
    main()
