# Each target first installs what it needs: Python packages into .venv, the local chat client into
# .tools. After that, nothing is downloaded again until a lock file changes.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
CLIENT := .tools/playground

# Stamps are named after the checksum of the lock file, so a checkout that only touches files reinstalls nothing.
sum     = $(firstword $(shell cksum < $(1)))
RUNTIME := $(VENV)/.runtime-$(call sum,infra/lock/runtime.txt)
RUN     := $(VENV)/.run-$(call sum,infra/lock/run.txt)
DEV     := $(VENV)/.dev-$(call sum,infra/lock/dev.txt)
BENCH   := $(VENV)/.bench-$(call sum,infra/lock/bench.txt)
CHAT    := $(CLIENT)/.client-$(call sum,infra/playground/package-lock.json)
SCHEMA  := .tools/manifest/.schema-$(call sum,manifest/schema/package-lock.json)
INFRA   := .venv-infra/.infra-$(call sum,infra/lock/infra.txt)

# Bytecode is kept, whatever the environment says: otherwise each test that starts the service compiles it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run test check check-infra bench clean lock browser

help:
	@echo 'make demo [CSV=path]  run the main job, start to finish, against simulated remote services'
	@echo 'make run              run the bot and a Teams-like chat client in the browser'
	@echo 'make test             run all tests, including a real browser'
	@echo 'make check            check format, lint, types, imports'
	@echo 'make check-infra      check the Azure files and the images, offline'
	@echo 'make bench            run the benchmarks'
	@echo 'make clean            remove everything the targets above created'
	@echo 'make lock             update the lock files of the Python packages'
	@echo 'Add PYTHON=python3.12 to any of them to use another Python.'

demo: $(RUNTIME)
	@$(PY) -m bot demo $(if $(CSV),--csv "$(CSV)")

run: $(RUN) $(CHAT)
	@$(PY) -m bot playground

# Half of the time, a test waits for timers and other processes: more workers than CI has cores.
test: $(DEV) $(CHAT) $(SCHEMA) browser
	$(PY) -m pytest -n 4 --dist worksteal

check: $(BENCH)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m basedpyright
	$(VENV)/bin/lint-imports

check-infra: $(INFRA) $(DEV)
	.venv-infra/bin/python -m pytest tests/infra
	$(PY) -m basedpyright -p tests/infra

bench: $(BENCH)
	@missed=0; for script in bench/*.py; do \
		echo "== $$script"; PYTHONPATH=. $(PY) "$$script" || missed=1; \
	done; exit $$missed

clean:
	rm -rf $(VENV) .venv-infra .tools .data .demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache \
		.coverage* dist devTools
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Offhook needs Python 3.11 or later. Name one: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'This Python cannot create virtual environments. On Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
	@echo 'Setting up $(VENV)'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME) $(RUN) $(DEV) $(BENCH): | $(PY)
	@set -- $(subst -, ,$(notdir $@)); lock=infra/lock/$${1#.}.txt; echo "Installing $$lock"; \
		$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r "$$lock"
	@rm -f $(VENV)/.$(patsubst .%,%,$(firstword $(subst -, ,$(notdir $@))))-*
	@touch $@

# Heavy tools, in a virtual environment of their own.
$(INFRA): | $(PY)
	@echo 'Installing infra/lock/infra.txt'
	@$(PYTHON) -m venv .venv-infra
	@.venv-infra/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r infra/lock/infra.txt
	@rm -f .venv-infra/.infra-*
	@touch $@

$(CHAT): | $(RUN)
	@echo 'Installing the local chat client'
	@mkdir -p $(CLIENT)
	@cp infra/playground/package.json infra/playground/package-lock.json $(CLIENT)
	@cd $(CLIENT) && "$(CURDIR)/$(VENV)/bin/npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f $(CLIENT)/.client-*
	@touch $@

$(SCHEMA): | $(DEV)
	@echo "Installing Microsoft's manifest schemas"
	@mkdir -p $(@D)
	@cp manifest/schema/package.json manifest/schema/package-lock.json $(@D)
	@cd $(@D) && "$(CURDIR)/$(VENV)/bin/npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f $(@D)/.schema-*
	@touch $@

# The tests drive Chromium; if it is missing, install Debian's.
browser:
	@for name in $$OFFHOOK_TEST_BROWSER chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v "$$name" >/dev/null && exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ]; then as=; else as='sudo -n'; fi; \
	if command -v apt-get >/dev/null && $$as true 2>/dev/null; then \
		echo 'Installing Chromium'; \
		$$as apt-get update -qq && \
		$$as env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null && \
		exit 0; \
	fi; \
	echo 'The tests need Chromium or Chrome on the PATH. Install one, or name it: OFFHOOK_TEST_BROWSER=/path/to/chrome make test'; \
	exit 1

# Resolved from pyproject.toml, keeping versions that still satisfy it. The bench lock constrains the
# others, so that all of them agree.
lock: $(PY)
	@$(PYTHON) -m venv .tools/uv && .tools/uv/bin/pip install -qq --disable-pip-version-check uv
	@lock() { .tools/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --output-file infra/lock/$$1.txt $$2 pyproject.toml; }; \
	lock bench '--group dev --group bench' && lock dev '--group dev --constraint infra/lock/bench.txt' && \
	lock run '--group run --constraint infra/lock/bench.txt' && lock runtime '--constraint infra/lock/bench.txt'
	@.tools/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --group pyproject.toml:infra --output-file infra/lock/infra.txt
