#!/usr/bin/env bash
# The prior on one GPU, from the top of a clone: checkpoint, weights, log and samples go to $OUT.
# MINUTES: when it stops, 9 if not given; the same command goes on from $OUT/prior.ckpt.
set -euo pipefail
out=${OUT:?say where to: OUT=FOLDER bash training/gpu_prior.sh}
exec "${PYTHON:-python3}" -m training.gpu_prior "$out" "$out" --limit "${MINUTES:-9}" "$@"
