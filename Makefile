# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CLANG  ?= clang
# The walk by call frame information knows x86-64 alone.
BPF_PROGRAMS := profile off_cpu targets \
  $(if $(filter x86_64,$(shell uname -m)),profile_dwarf off_cpu_dwarf)
ARGS   ?=

UP_PACKAGES   := python3-venv clang libbpf-dev libbpf1 linux-libc-dev python3-bpfcc
TEST_PACKAGES := $(UP_PACKAGES) gcc libc6-dev musl-tools chromium postgresql dwz debuginfod systemd
# Programs to sample, where there are none, and profilers to compare with; toolchains are left out.
package_of = $(if $(shell command -v $1),,$2)
BENCH_PACKAGES := $(TEST_PACKAGES) g++ binutils linux-perf bpfcc-tools openssl sqlite3 \
  $(call package_of,node,nodejs)

##@ Run
up: setup ## profile this machine: server, collector and the page (ARGS='--http 127.0.0.1:8440')
	$(BIN)/profiler up $(ARGS)

##@ Develop
test: packages-test setup ## every test; what this machine lacks is skipped with the reason
	$(BIN)/playwright --version
	cd server/web && PATH="$(CURDIR)/$(BIN):$$PATH" npm test
	$(BIN)/pytest $(ARGS)

check: $(VENV)/.installed proto web ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd server/web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run check

screenshots: packages-test setup ## the pictures of the guide, of the page as it is
	$(BIN)/python -m tests.browser.screenshots

format: $(VENV)/.installed ## write the one formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: packages-bench setup ## every benchmark, side by side with its baseline
	$(BIN)/python -m tests.bench $(ARGS)

bench-stacks: packages-bench setup ## are stacks whole and right? (ARGS='python node --seconds 5')
	$(BIN)/python -m tests.bench.stacks $(ARGS)

bench-crash: packages-test setup ## kill servers at random for minutes: is anything lost? (ARGS="--seconds 600")
	$(BIN)/python -m tests.bench.crash $(ARGS)

bench-memory: packages-bench setup ## is the memory of a busy server flat? (ARGS="--seconds 600 --svg FILE")
	$(BIN)/python -m tests.bench.memory $(ARGS)

bench-faults: packages-test setup ## what does a fault lose, and cost? (ARGS="'network cut' --cut 10m")
	$(BIN)/python -m tests.bench.faults $(ARGS)

bench-gate: setup ## does the gate alarm as rarely as it says, and find what it should?
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench.gate $(ARGS)

bench-collector: packages-bench setup ## what profiling costs, beside bcc and perf (ARGS='--rounds 1')
	$(BIN)/python -m tests.bench.collector $(ARGS)

bench-store: packages-bench setup ## the store beside naive layouts (ARGS='sqlite --hosts 20 --days 3')
	$(BIN)/python -m tests.bench.store $(ARGS)

bench-web: packages-test setup ## the page beside speedscope, in a browser (ARGS="million search")
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.bench.web $(ARGS)

##@ Build
setup: packages-up $(VENV)/.installed proto bpf web ## everything `make up` needs

bpf: $(BPF_PROGRAMS:%=bpf/build/%.bpf.o) ## the BPF objects
proto: profiler/v1/ingest_pb2.py profiler/formats/pprof_pb/profile_pb2.py collector/labels/cri_pb/runtime_pb2.py ## the messages' Python modules
web: server/static/index.html ## the pages

wheel: setup ## one wheel with the BPF object, the migrations and the pages
	$(BIN)/python -m build --wheel

helm: $(VENV)/.installed ## Helm, with Go: the tests then check the chart with it
	GOBIN=$(CURDIR)/$(BIN) go install helm.sh/helm/v3/cmd/helm@v3.22.0

lock: $(VENV)/.installed ## pin the newest versions that pyproject.toml admits
	$(BIN)/pip-compile -q --upgrade --extra collector --extra server --extra dev --strip-extras \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --allow-unsafe \
	  -o requirements.lock pyproject.toml

clean: ## remove everything that make built
	rm -rf $(VENV) bpf/build profiler/v1 profiler/formats/pprof_pb collector/labels/cri_pb server/static server/web/node_modules dist bench-results

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up test check screenshots format bench bench-stacks bench-collector bench-store bench-crash bench-memory bench-faults bench-web bench-gate setup bpf proto web wheel helm lock clean help packages-up packages-test packages-bench

# --- set-up ---------------------------------------------------------------------------------

# Debian packages: installed where they are missing and we may, else named.
packages-up:
	@./deploy/packages.sh $(UP_PACKAGES)
packages-test:
	@./deploy/packages.sh $(TEST_PACKAGES)
packages-bench:
	@./deploy/packages.sh $(BENCH_PACKAGES)

$(VENV)/.installed: requirements.lock pyproject.toml | packages-up
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

profiler/v1/ingest_pb2.py: proto/profiler/v1/ingest.proto $(VENV)/.installed
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=. --pyi_out=. --grpc_python_out=. $<
	touch profiler/v1/__init__.py $@

# The include path is mapped, so that the module is ours and its name cannot collide.
profiler/formats/pprof_pb/profile_pb2.py: proto/pprof/profile.proto $(VENV)/.installed
	$(BIN)/python -m grpc_tools.protoc -I$(@D)=$(<D) --python_out=. --pyi_out=. $(@D)/profile.proto
	touch $(@D)/__init__.py $@

collector/labels/cri_pb/runtime_pb2.py: proto/cri/runtime.proto $(VENV)/.installed
	@mkdir -p $(@D)
	$(BIN)/python -m grpc_tools.protoc -I$(@D)=$(<D) --python_out=. --pyi_out=. $(@D)/runtime.proto
	touch $(@D)/__init__.py $@

# Without clang the profiler still runs through bcc, or on recorded profiles.
bpf/build/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p bpf/build
	@if command -v $(CLANG) >/dev/null; then set -x; \
	  $(CLANG) -O2 -g -Wall -Werror -target bpf \
	    -I/usr/include/$$(uname -m)-linux-gnu -c $< -o $@; \
	else echo "skipped: the BPF object (clang is not installed)" >&2; fi

server/static/index.html: $(shell find server/web -path '*/node_modules' -prune -o -type f -print) $(VENV)/.installed
	cd server/web && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	cd server/web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run build
	touch $@
