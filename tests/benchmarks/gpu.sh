#!/usr/bin/env bash
# The GPU tests, and every GPU row of docs/benchmarks.md, in at most 8 minutes on a machine with one NVIDIA card.
#
#   tests/benchmarks/gpu.sh [--python PYTHON] [--wheels FOLDER] [--rehearse]
#
# Needs no Ray. What Python lacks is installed into a folder beside this run, from FOLDER where there is no package index.
# --rehearse: the same on the CPU, with few steps, to see that every part runs.
set -uo pipefail
cd "$(dirname "$0")/../.."

python=python3 wheels="" rehearse=""
while [ $# -gt 0 ]; do
    case "$1" in
        --python) python="$2"; shift 2 ;;
        --wheels) wheels="$2"; shift 2 ;;
        --rehearse) rehearse=yes; shift ;;
        *) sed -n '2,7p' "$0"; exit 2 ;;
    esac
done

if [ -n "$rehearse" ]; then
    export CUDA_VISIBLE_DEVICES=""
    device=cpu steps=3 slower=4
elif "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    device=cuda steps=200 slower=1
else
    echo "no CUDA device: run it with --rehearse to try every part on the CPU"
    exit 1
fi

extra="${TMPDIR:-/tmp}/foretune-gpu-packages"
export PYTHONPATH="$PWD:$extra${PYTHONPATH:+:$PYTHONPATH}"
for package in numpy pandas pyarrow scipy pydantic psutil filelock safetensors huggingface_hub transformers pytest \
    pytest-timeout pytest-xdist rich typer pyyaml; do
    module="${package//-/_}"
    case "$package" in pyyaml) module=yaml ;; pytest-xdist) module=xdist ;; esac
    "$python" -c "import $module" 2>/dev/null && continue
    echo "installing $package"
    "$python" -m pip install --quiet --target "$extra" ${wheels:+--no-index --find-links "$wheels"} "$package" ||
        echo "could not install $package"
done

failed=0
part() { # name, seconds, command: goes on after a part that fails, and says so at the end
    local name="$1" seconds="$2"
    shift 2
    echo
    echo "== $name"
    timeout $((seconds * slower)) "$@" 2> >(grep -v '^$' | tail -20 >&2) || { echo "FAILED: $name"; failed=1; }
}

part "tests" 240 "$python" -m pytest -q -p no:cacheprovider -o addopts="-ra --import-mode=importlib" tests/gpu
part "trials on the card" 120 "$python" -m tests.gpu.bench_card --steps "$steps"
if "$python" -c 'import uni2ts' 2>/dev/null; then
    part "Moirai against uni2ts" 90 "$python" tests/benchmarks/models/bench_moirai.py --device "$device"
fi
part "Time-MoE against the published operations" 90 "$python" tests/benchmarks/models/bench_time_moe.py --device "$device"
part "windows" 60 "$python" tests/benchmarks/bench_windows.py --device "$device"
exit "$failed"
