# Two commands set up everything they need: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := memsvc lifecycle retrieval gpu clients/src
CHECKED := $(SOURCES) migrations tests benchmarks deploy docs examples
# What Python compiles is kept, whatever the machine says: the tests start dozens of processes that import the same.
export PYTHONDONTWRITEBYTECODE :=
# One thread for BLAS and friends in every test process: the processes themselves run side by side.
TEST_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
# Half of the time that tests take they wait, for servers and databases: four of them keep two cores busy.
JOBS ?= $(shell $(PYTHON) -c "import os; print(max(4, os.cpu_count() or 1))")

.DEFAULT_GOAL := help
.PHONY: help serve test ready check check-deploy docs up-local format bench quality faults fuzz mem0-client console-test \
  supply clean

help: ## Show these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "memsvc needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "==> making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml clients/pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	@echo "==> installing the server and the client (once, about a minute)"
	@$(PIP) install --quiet -c constraints-cpu.txt -e clients -e '.[mcp]'
	@touch $@

$(VENV)/.dev: pyproject.toml clients/pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	@echo "==> installing the server, the client and what the tests need (once, about two minutes)"
	@# Of all the modules (284 MB) few are ever imported: those compile when they are, the others in two minutes for nobody.
	@$(PIP) install --quiet --no-compile -c constraints-cpu.txt -e clients -e '.[dev]'
	@touch $@ $(VENV)/.serve

serve: $(VENV)/.serve ## Make the environment, migrate, and serve on 127.0.0.1:8000
	@$(BIN)/memsvc serve

test: $(VENV)/.dev ## Run every test, on SQLite and on a real PostgreSQL that the tests start by themselves
	@$(TEST_ENV) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

# Kernels take most of a minute to compile and the tests half of one to be read. Both are kept on disk, so this is worth
# its while beside something that uses one core (.ci/run); `make test` alone does the same in each of its processes.
ready: $(VENV)/.dev ## Compile what the tests need beforehand
	@$(TEST_ENV) $(BIN)/python -c 'from gpu.warm_up import warm_up; warm_up()'
	@$(TEST_ENV) $(BIN)/python -m pytest -q --collect-only >/dev/null || true  # what is wrong, `make test` says

check: $(VENV)/.dev check-deploy ## Format, lint, types and import rules
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: $(VENV)/.dev ## Build the documentation as a site in build/site; a link that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "==> open build/site/index.html"

check-deploy: $(VENV)/.dev ## Dockerfile and Compose file, without an engine (the tests look at the rest)
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

up-local: $(VENV)/.dev ## PostgreSQL, migrations, two API processes and a worker, without containers; CHECK=1 drives them and ends
	@$(BIN)/python -m deploy.local $(if $(CHECK),--check) $(ARGS)

mem0-client: $(VENV)/.dev ## Get mem0's own clients of several versions, for the tests that speak to the service with it (docs/compat.md)
	@$(PIP) install --quiet --no-deps --upgrade --target .mem0-client -r tests/e2e/mem0-client.txt
	@for version in $$(grep -v '^#' tests/e2e/mem0-older.txt); do \
		$(PIP) install --quiet --no-deps --upgrade --target ".mem0-client/older/$$version" "mem0ai==$$version" || exit 1; \
	done

console-test: $(VENV)/.dev ## The console in the system's Chromium, with the extra that drives it (docs/console.md)
	@$(PIP) install --quiet -e '.[console-test]'
	@$(TEST_ENV) $(BIN)/python -m pytest tests/e2e/console

format: $(VENV)/.dev ## Put the code into its form
	@$(BIN)/ruff format $(CHECKED)
	@$(BIN)/ruff check --fix $(CHECKED)

bench: $(VENV)/.dev ## Measure what a user would; results go to benchmarks/results
	@$(BIN)/python -m benchmarks.run_all $(ARGS)

quality: $(VENV)/.dev ## Quality of recall on all sets, every channel left out in turn, the plot; needs MEMSVC_BENCH_DATA
	@$(BIN)/python -m benchmarks.quality run
	@$(BIN)/python -m benchmarks.quality ablate
	@$(BIN)/python -m benchmarks.quality abilities
	@$(BIN)/python -m benchmarks.quality latency
	@$(BIN)/python -m benchmarks.quality plot
	@$(BIN)/python -m benchmarks.quality report --write

faults: $(VENV)/.dev ## Kill, starve, fill, race and mislead the server for hours and look for broken promises
	@$(BIN)/python -m benchmarks.kill_server --database sqlite --kills 500
	@$(BIN)/python -m benchmarks.kill_server --database postgres --kills 500
	@$(BIN)/python -m benchmarks.kill_schedulers --database postgres --periods 10000
	@$(BIN)/python -m benchmarks.kill_schedulers --database sqlite --periods 2000
	@$(BIN)/python -m benchmarks.faults --long
	@$(BIN)/python -m benchmarks.faults --sabotage
	@$(BIN)/python -m benchmarks.kill_consolidation --database postgres --kills 100
	@$(BIN)/python -m benchmarks.kill_consolidation --database sqlite --kills 100
	@$(BIN)/python -m benchmarks.interleavings --database sqlite
	@$(BIN)/python -m benchmarks.interleavings --database postgres

fuzz: $(VENV)/.dev ## Mutated requests, schemathesis, and the tests with more rounds from new seeds
	@$(BIN)/python -m benchmarks.fuzz_requests
	@$(BIN)/python -m benchmarks.schemathesis_run
	@$(TEST_ENV) MEMSVC_TEST_PROFILE=long $(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/property tests/integration tests/api

supply: $(VENV)/.dev ## Licences and an SBOM (sbom.json) of what is installed, and its known vulnerabilities (needs the network)
	@$(BIN)/python -m pip install --quiet 'cyclonedx-bom>=7' 'pip-audit>=2.10' 'pip-licenses>=5'
	@$(BIN)/pip-licenses --summary --order=count
	@$(BIN)/pip-licenses --partial-match --fail-on='AGPL;GNU Affero;SSPL;Business Source' >/dev/null
	@$(BIN)/cyclonedx-py environment $(BIN)/python --output-reproducible -o sbom.json
	@$(BIN)/pip-audit --skip-editable

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
