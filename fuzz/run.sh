#!/usr/bin/env bash
# Runs fuzz targets, one after the other: fuzz/run.sh RUNS [TARGET...], all of them without a name.
#
# A plain cargo, of any channel, with the flags of `cargo fuzz --sanitizer none`: nothing has to be installed but a C++
# compiler. New inputs go to fuzz/work/TARGET and finds to fuzz/artifacts/TARGET; the committed corpus is only read.
# Each target ends with a line of libFuzzer: executions, and what is covered. Ends with 1 if there was a find.
set -euo pipefail
cd "$(dirname "$0")"

runs=${1:?how many executions of each target}
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  targets=(body path store_record decode predict update fit fit_score)
fi

flags=(
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cllvm-args=-simplifycfg-branch-fold-threshold=0
  -Cdebug-assertions -Coverflow-checks
  --cfg fuzzing
)
# Not for build scripts and macros: those are built for the host, and the flags for the target named.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="${flags[*]}" cargo build --release --locked --target "$host" --bins

code=0
for target in "${targets[@]}"; do
  mkdir -p "work/$target" "artifacts/$target"
  printf '\n=== %s\n' "$target"
  "target/$host/release/$target" -runs="$runs" -max_len=4096 -timeout=30 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="artifacts/$target/" "work/$target" "corpus/$target" 2>&1 | tail -n 25 || code=1
done
exit $code
