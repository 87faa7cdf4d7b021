# The short way in. Everything here is two or three commands that can be typed by hand; CONTRIBUTING.md shows them.
#
#   make quickstart [ARGS="epochs=2"]   sets up, builds, trains and evaluates on Fashion-MNIST; see out/quickstart/
#   make test [TESTS=loss/]               sets up, builds, runs the tests (or those whose name matches TESTS)
#   make soak                             the tests that take long by themselves
#   make asan [TESTS=...]                 the same with AddressSanitizer and UndefinedBehaviorSanitizer
#   make cuda                             builds the GPU version (needs nvcc)
#   make bench [ARGS="--benchmark_filter=loader/.*"]   runs the benchmarks
#   make bench-peers [ARGS="--lines rrc/224"]     runs the data path and losses beside torchvision, DALI, lightly, ...
#   make format                           clang-format over our sources
#   make docs                             copies the marked regions of compiled sources into the documentation, and lists its pages
#   make clean                            deletes build/ and out/ (not .deps/)
#
# JOBS=n compiles and tests n at a time; by default as many as there are cores and 2.5 GB of memory for each.

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test soak asan cuda bench bench-peers format docs clean

JOBS  ?= $(shell awk -v cores=$$(nproc) '/MemAvailable/ { n = int($$2 / 2500000); print n < 1 ? 1 : n < cores ? n : cores }' /proc/meminfo)
TESTS ?= .
ARGS  ?=

help:
	@sed -n '3,13s/^# \{0,3\}//p' Makefile

setup:
	@cmake/bootstrap.sh

# $(call build,preset,target): configures, which is quick, and builds.
build = . .deps/env.sh && cmake --preset $(1) && cmake --build --preset $(1) --parallel $(JOBS) --target $(2)
test  = ctest --preset $(1) --output-on-failure --parallel $(JOBS) --no-tests=error --tests-regex '$(TESTS)'

quickstart: setup
	@$(call build,release,quickstart)
	build/release/examples/quickstart $(ARGS)

test: setup
	@$(call build,release,all)
	@$(call test,release)

soak: setup
	@$(call build,release,all)
	@ctest --preset release --output-on-failure --build-config Soak --no-tests=error --tests-regex '^soak/'

asan: setup
	@$(call build,asan,all)
	@ASAN_OPTIONS=detect_leaks=1 $(call test,asan)

cuda: setup
	@$(call build,cuda,all)

bench: setup
	@$(call build,release,jessl_bench)
	build/release/bench/jessl_bench $(ARGS)

bench-peers: setup
	@$(call build,release,jessl_bench)
	bench/peers/run.py $(ARGS)

format:
	@command -v clang-format >/dev/null || { echo "clang-format is missing: apt-get install clang-format"; exit 1; }
	@find include tests examples bench -name '*.[ch]pp' -o -name '*.cu' | xargs clang-format -i

docs:
	@tests/check/code_blocks.py --write

clean:
	rm -rf build out
