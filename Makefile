# `make demo` on a fresh machine is enough: .venv/ready sets everything up. Another Python: make PYTHON=python3.12 demo
PYTHON ?= python3
V = .venv/bin/python
ALONE = not process and not socket
FAST = $(ALONE) and not depth

ifeq ($(shell uname),Darwin)  # Homebrew's GMP is not where the compiler looks
BREW := $(shell brew --prefix 2>/dev/null || echo /opt/homebrew)
export CPATH := $(BREW)/include$(if $(CPATH),:$(CPATH))
export LIBRARY_PATH := $(BREW)/lib$(if $(LIBRARY_PATH),:$(LIBRARY_PATH))
endif

# Some machines forbid to keep what was compiled: then each worker, and each node that a test starts, compiles all anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo check test soak bench lock clean

demo: .venv/ready
	@$(V) -m lab.demo $(if $(BREAK),--break-one,)

check: .venv/ready
	.venv/bin/ruff format --check -q .
	.venv/bin/ruff check -q .
	.venv/bin/mypy
	WEFT_DEPTH=check $(V) -m pytest -n auto --dist worksteal -m "$(FAST)"

test soak: .venv/ready
	WEFT_DEPTH=$@ $(V) -m pytest -n auto --dist worksteal -m "$(ALONE)"
	WEFT_DEPTH=$@ $(V) -m pytest -n 3 -m "not ($(ALONE))"

bench: .venv/ready
	@$(V) -m benchmarks $(ONLY)

lock: .venv/ready
	.venv/bin/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -o requirements.lock

clean:
	rm -rf .venv dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/ready: requirements.lock pyproject.toml setup.sh
	sh setup.sh $(PYTHON)
	$(PYTHON) -m venv --clear .venv
	$(V) -m pip install -q --require-hashes -r requirements.lock
	$(V) -m pip install -q --no-deps --no-build-isolation -e .
	touch $@
