#!/usr/bin/env bash
# A compiler for cargo's RUSTC_WRAPPER: our own crates count their coverage for libFuzzer, dependencies stay as they are.
# The flags are those of `cargo fuzz`; any channel of the compiler takes them.
case " $* " in
  *" --crate-name api "* | *" --crate-name detectors "* | *" --crate-name service "* | *" --crate-name fuzz_targets "*)
    exec "$@" -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=4 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares \
      -Cllvm-args=-simplifycfg-branch-fold-threshold=0
    ;;
  *) exec "$@" ;;
esac
