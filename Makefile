# Nothing to install first: every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
SHELL := /bin/bash
# Before a command: tells what it took, computing apart from waiting, also where it fails.
timed = @TIMEFORMAT='== $@: %0R s, %0U s of them computing'; time
FUZZ_S ?= 600
FUZZ_EXAMPLES ?= 500
HOSTILE_N ?= 1000
FAULT_SCALE ?= 7
CRASHES ?= 1000
RETENTION_POSTS ?= 2000
IMAGES := gateway ingest scanner transcoder publisher sandbox migrate
REPOSITORY ?= letmepost-media
TAG ?= dev
BASE ?=
SBOM ?= .local/sbom
CODE := services deploy tests bench proto/protos.py

.DEFAULT_GOAL := help
.PHONY: lock-images images help setup run up down test check lint types protos envoy fast pictures fuzz crashes creates retention fuzz-api hostile beside bench gen gen-baseline lock doctor clean-local

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Everything `make run` needs on this machine: .venv, pinned packages, clamd
	@$(PYTHON) deploy/local/bootstrap.py run

run: setup ## The whole service on this machine, until Ctrl-C; prints the URL and a key
	@exec $(BIN)/python -m deploy.local run

up: setup ## The same in the background
	@$(BIN)/python -m deploy.local up

down: ## Stop what `make up` (or `make run`) started
	@$(BIN)/python -m deploy.local down

test: setup-tests ## Everything CI runs: check, contract, integration, end to end, SDK
	@$(MAKE) --no-print-directory --jobs 2 check
	@$(MAKE) --no-print-directory --keep-going --jobs 3 test-parts test-whole test-waits
	@$(MAKE) --no-print-directory test-sdk

# Side by side: each waits for its daemons much of the time, and they share nothing.
.PHONY: test-parts test-whole test-waits test-sdk
# Of what is killed, restarted, repeated or slow, until it is noticed: little is computed meanwhile.
WAITS := $(addprefix tests/e2e/test_,crashes.py several_of_each.py slow_clients.py tables_ahead.py) $(addprefix tests/integration/,ingest publisher)
# The transcoder's go with those of the whole, so that each of the three takes about as long as the others.
test-parts:
	$(timed) $(BIN)/python -m pytest -q --durations=20 tests/contract/platforms tests/integration $(WAITS:%=--ignore=%) --ignore=tests/integration/transcoder

test-whole:
	$(timed) $(BIN)/python -m pytest -q --durations=20 tests/integration/transcoder tests/contract/test_*.py tests/fuzz tests/e2e $(WAITS:%=--ignore=%)

test-waits:
	$(timed) $(BIN)/python -m pytest -q --durations=20 $(WAITS)

test-sdk:
	$(timed) npm --prefix sdk/typescript test

fuzz: setup ## Hostile files for the walkers, FUZZ_S seconds long (600); what is found becomes a seed
	@test -d .local/atheris || $(BIN)/pip install -q --no-deps --require-hashes --target .local/atheris -r requirements/fuzz.lock \
	  || echo "atheris cannot be had here: files are changed by chance instead"
	PYTHONPATH=.local/atheris $(BIN)/python -m tests.fuzz $(FUZZ_S)

bench: setup ## Measures, into docs/performance.md: all, or one part (BENCH=images)
	@$(PYTHON) deploy/local/bootstrap.py bench
	@test -d .local/bench || $(BIN)/pip install -q --require-hashes --target .local/bench -r requirements/bench.lock
	@test -d bench/peers/node_modules || npm ci --prefix bench/peers --no-audit --no-fund --loglevel=error
	$(BIN)/python -m bench $(BENCH)

faults: setup-tests ## Kills, crashes and swaps, FAULT_SCALE times (7) as many as in a run of the tests
	FAULT_SCALE=$(FAULT_SCALE) $(BIN)/python -m pytest -q tests/e2e/test_uploads_under_fire.py \
	  tests/integration/ingest/test_replaced_objects.py tests/integration/ingest/test_any_course.py

crashes: setup-tests ## CRASHES runs (1000) for each platform, in which the publisher ends or loses answers somewhere
	CRASHES=$(CRASHES) $(BIN)/python -m pytest -q tests/integration/publisher/crashes -o log_cli=true --timeout 0

retention: setup-tests ## RETENTION_POSTS posts (2000) scheduled around the end of their media, while what ended is removed
	RETENTION_POSTS=$(RETENTION_POSTS) $(BIN)/python -m pytest -q tests/integration/test_retention_races.py

creates: setup-tests ## Ten thousand uploads begun at once, against a plan of a thousand
	CREATES=10000 $(BIN)/python -m pytest -q tests/e2e/test_limits.py -k ten_thousand --timeout 0

fuzz-api: setup-tests ## Any request the API reference allows or forbids, FUZZ_EXAMPLES of each route (500)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -q -s tests/e2e/test_reference_fuzzed.py --timeout 0

beside: setup-tests ## An earlier revision (REV) and this tree side by side, forth and back, under load: no request may fail
	$(BIN)/python -m tests.beside $(REV)

hostile: setup-tests ## HOSTILE_N hostile uploads (1000) through the public API; what is answered, memory, processes
	$(BIN)/python -m tests.hostile $(HOSTILE_N)

check: setup fast pictures lint types protos envoy ## The quick half: lint, types, protos, Envoy's config, unit and arch tests

lint: setup
	$(timed) $(BIN)/ruff check $(CODE)
	$(timed) $(BIN)/ruff format --check $(CODE)

types: setup
	$(timed) $(BIN)/mypy $(CODE)

protos: setup
	$(timed) $(BIN)/python proto/protos.py check
	$(timed) $(BIN)/python -m services.gateway.openapi.committed check
	$(timed) $(BIN)/python -m deploy.json_port check

envoy: setup
	$(timed) $(BIN)/python -m deploy.local validate-envoy

fast: setup
	$(timed) $(BIN)/python -m pytest -q tests/unit tests/arch tests/chart --ignore=tests/unit/transcoder

# Of unit tests those that compute most, so that the two halves take about as long.
pictures: setup
	$(timed) $(BIN)/python -m pytest -q tests/unit/transcoder

gen: setup ## Generated from the protos: code, docs/openapi.json, the JSON port's Envoy and the client's types
	$(BIN)/python proto/protos.py gen
	$(BIN)/python -m services.gateway.openapi.committed write
	$(BIN)/python -m deploy.json_port write
	$(BIN)/python -m deploy.monitoring.dashboard write
	$(BIN)/python -m deploy.local store-rights > deploy/k8s/chart/files/rights.json
	node sdk/typescript/scripts/types.mjs

gen-baseline: setup ## Make today's protos the released interface that `make check` compares with
	$(BIN)/python proto/protos.py baseline

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q

lock: setup ## Pin the newest packages pyproject.toml allows; the images get the same
	$(COMPILE) --extra dev --no-emit-package letmepost-media-api --upgrade -o requirements/dev.lock
	@$(MAKE) --no-print-directory lock-images

lock-images: setup ## Pin in each image what dev.lock pins
	$(COMPILE) --no-annotate -c requirements/dev.lock -o requirements/common.lock
	for stage in gateway ingest transcoder publisher sandbox; do \
	  $(COMPILE) --no-annotate -c requirements/dev.lock --extra $$stage -o requirements/$$stage.lock || exit 1; done

images: ## An image of each stage, as REPOSITORY/<stage>:TAG on BASE, by docker, podman or buildah
	@for builder in docker podman buildah none; do $$builder info > /dev/null 2>&1 && break; done; \
	[ $$builder != none ] || { echo "none of docker, podman, buildah answers here"; exit 1; }; \
	for stage in $(IMAGES); do \
	  $$builder build $(if $(BASE),--build-arg BASE=$(BASE)) -f deploy/k8s/Dockerfile --target $$stage -t $(REPOSITORY)/$$stage:$(TAG) . || exit 1; done

.PHONY: sbom release
sbom: setup ## What is in each image, as CycloneDX, into SBOM (.local/sbom)
	$(BIN)/python -m deploy.sbom $(SBOM) --tag $(TAG) $(if $(BASE),--base $(BASE))

release: ## `images` and `sbom` for others to run: BASE must be name@sha256:…, which stays what it is
	@echo '$(BASE)' | grep -Eq '^[^@ ]+@sha256:[0-9a-f]{64}$$' || { echo "BASE=name@sha256:<64 digits> is needed: a tag may be another image tomorrow"; exit 1; }
	@$(MAKE) --no-print-directory images sbom

doctor: ## What is missing on this machine
	@$(PYTHON) deploy/local/bootstrap.py --doctor; found=$$?; \
	if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.local doctor || found=1; fi; exit $$found

clean-local: ## Drop the local stack's data, keys and logs
	@$(BIN)/python -m deploy.local clean

.PHONY: setup-tests
setup-tests:
	$(timed) $(PYTHON) deploy/local/bootstrap.py test
