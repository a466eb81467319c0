# The commands of daily work. The build itself is CMake's (CMakeLists.txt, CMakePresets.json);
# this file installs what is missing, picks the preset and starts things.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# ... of each target within make test.
FUZZ_SMOKE_SECONDS ?= 4
# Files that core_bench takes (docs/performance.md).
BENCH_FILES ?=
# Extra options of the program: make run ARGS="--in-memory --http-port 8081"
ARGS ?=
# DEPENDENCIES=no leaves the machine's packages alone.
DEPENDENCIES ?= yes

MATCHING := build/release/matching
CLIENTS := tests/clients
SOURCES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')

ifeq ($(DEPENDENCIES),no)
dependencies = @true
else
dependencies = @scripts/install-dependencies.sh
endif

export JOBS

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build and start all transports; ARGS="..." adds options
	@printf '%s\n' '' 'Starting $(MATCHING) all $(ARGS). Ctrl-C stops it.' \
	  'Once it says "ready", try in another terminal (the address is the one it prints for http):' \
	  '' \
	  "  curl -s -H 'Content-Type: application/json' http://127.0.0.1:8080/api/orders -d \\" \
	  "    '{\"trader_id\":\"alice\",\"side\":\"buy\",\"price\":50000,\"quantity\":0.5}'" ''
	@exec $(MATCHING) all $(ARGS)

.PHONY: build
build: run-packages ## Build build/release/matching
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target matching matching_sbe_gateway_shared

.PHONY: test
test: develop-packages client-packages ## Build and run every test, plain and under ASan and UBSan
	@failed=0; \
	$(MAKE) --no-print-directory check-format || failed=1; \
	$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=$(FUZZ_SMOKE_SECONDS) || failed=1; \
	scripts/test.sh release asan || failed=1; \
	[ $$failed = 0 ] || { echo 'make test: something above failed'; exit 1; }

.PHONY: tsan
tsan: test-packages client-packages ## Run every test under ThreadSanitizer
	@scripts/test.sh tsan

.PHONY: soak
soak: test-packages client-packages ## Run the soak tests with their long counts, figures included
	@cmake --preset release -DMATCHING_BUILD_TESTS=ON --log-level=NOTICE
	@cmake --build --preset release
	@ctest --preset soak

.PHONY: bench
bench: run-packages ## Measure the engine; BENCH_FILES="..." adds files of commands
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target core_bench yardstick_bench matching_yardstick
	@build/release/yardstick_bench build/release/libmatching_yardstick.so
	@for file in $(BENCH_FILES); do build/release/core_bench "$$file" || exit 1; done

.PHONY: bench-websocket
bench-websocket: run-packages ## Measure the WebSocket door beside a bare echo
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target matching ws_load ws_echo
	@scripts/bench-websocket.sh

.PHONY: bench-sbe
bench-sbe: run-packages ## Measure the SBE door and the gateway beside a bare echo
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target matching sbe_load sbe_sink ws_echo
	@scripts/bench-sbe.sh

.PHONY: bench-http
bench-http: develop-packages ## Measure the REST and JSON-RPC doors beside bare handlers
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target matching http_bare evhttp_bare http_drip
	@scripts/bench-http.sh

.PHONY: fuzz
fuzz: develop-packages ## Fuzz each target for FUZZ_SECONDS (60)
	@cmake --preset fuzz --log-level=NOTICE
	@cmake --build --preset fuzz --target fuzzers
	@scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: format
format: ## Format every C file in place
	@clang-format -i $(SOURCES)

.PHONY: check-format
check-format: ## Fail if a C file is not formatted
	@clang-format --dry-run --Werror $(or $(SOURCES),/dev/null)

.PHONY: install
install: build ## Install under PREFIX (/usr/local), DESTDIR in front
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build $(CLIENTS)/node_modules

.PHONY: run-packages test-packages develop-packages
run-packages:
	$(dependencies) run
test-packages:
	$(dependencies) test
develop-packages:
	$(dependencies) develop

# npm's own lock file decides the versions; the stamp spares npm where nothing changed. Its scripts
# are not run: no client needs one.
.PHONY: client-packages
ifneq ($(wildcard $(CLIENTS)/package.json),)
client-packages: $(CLIENTS)/node_modules/.installed
$(CLIENTS)/node_modules/.installed: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json | test-packages
	@echo "npm: installing the JavaScript clients' packages into $(CLIENTS)/node_modules"
	@cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
else
client-packages:
endif
