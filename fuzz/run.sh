#!/usr/bin/env bash
# Runs fuzz targets, one after the other: fuzz/run.sh RUNS [TARGET...], all of them without a name.
#
# Nothing has to be installed but a C++ compiler. The committed corpus is only read: new inputs go to fuzz/work/TARGET,
# finds to fuzz/artifacts/TARGET. Each target ends with libFuzzer's figures; the whole with 1 if there was a find.
set -euo pipefail
cd "$(dirname "$0")"

runs=${1:?how many executions of each target}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  targets=(body path store_record artifact decode predict update fit fit_score)
fi

# Beside the workspace's own artifacts, whose dependencies it shares.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../target} CARGO_INCREMENTAL=0
RUSTC_WRAPPER=$PWD/instrument.sh cargo build --locked

code=0
for target in "${targets[@]}"; do
  mkdir -p "work/$target" "artifacts/$target"
  printf '\n=== %s\n' "$target"
  TIDEMARK_FUZZ_TARGET=$target "$CARGO_TARGET_DIR/debug/any" -runs="$runs" -max_len=4096 -timeout=60 -rss_limit_mb=3000 \
    -print_final_stats=1 -artifact_prefix="artifacts/$target/" "work/$target" "corpus/$target" 2>&1 | tail -n 12 || code=1
done
exit $code
