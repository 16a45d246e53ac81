# make demo and make test each work alone on a fresh clone: Python ≥ 3.11 with pip, make and a C compiler, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Compiled at the first import, and only what is imported: compiling all of it was half of the time of an install.
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml setup.py constraints.txt $(wildcard src/shrinkwise/kernels/src/*.h src/shrinkwise/kernels/src/*/*)

.PHONY: demo test test-thorough test-frameworks test-peers lint docs bench bench-linear bench-dropout clean

demo: $(VENV)/.demo
	$(BIN)/shrinkwise fit examples/sonar.csv --target object --out sonar-report

# One process a core, each on one thread: two that share their threads wait for each other. A file stays in one process, with
# what its tests share (tests/conftest.py). Bytecode is kept whatever the environment says: many tests start processes, and
# each would compile all that it imports.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --no-loadscope-reorder

test: lint
	$(PYTEST)

test-thorough: $(VENV)/.test
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "thorough or not thorough"

# Training loops of others: 250 MB more, which make test does without.
test-frameworks: $(VENV)/.frameworks
	$(BIN)/python -m pytest -m "thorough or not thorough" tests/networks/test_frameworks.py

# The tests of scikit-learn, celer and timm with our names in the place of theirs (celer's and timm's are downloaded): every
# failure is listed, with its class, in peers*.txt. ARGS="ridge" runs the files of that name.
test-peers: $(VENV)/.test
	@status=0; for script in scikit_learn with_celer with_timm; do \
	  OMP_NUM_THREADS=1 $(BIN)/python tests/peers/$$script.py $(ARGS) || status=1; done; exit $$status

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# The site, into build/docs; needs no network once the extra is installed. Warnings are errors.
docs: $(VENV)/.docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --builder html --jobs auto --quiet --fail-on-warning docs build/docs
	@echo "Wrote build/docs/index.html: open it in a browser."

bench: $(VENV)/.test
	for script in benchmarks/*/bench_*.py; do $(BIN)/python -m $$(echo $${script%.py} | tr / .) || exit 1; done

# The peers may live elsewhere: SHRINKWISE_PEERS=path/to/python. ARGS="--quick --only lasso" and the like.
bench-linear: $(VENV)/.test
	$(BIN)/python -m benchmarks.linear.bench_linear $(ARGS)

bench-dropout: $(VENV)/.test
	$(BIN)/python -m benchmarks.dropout.bench_dropout

clean:
	rm -rf $(VENV) build dist docs/gallery docs/reference/generated *-report src/*.egg-info src/shrinkwise/kernels/_shrinkwise*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's python3 without python3-venv has no ensurepip: then pip is put in from outside.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }

$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable ".[torch]"
	@touch $@

$(VENV)/.test: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable ".[torch,plot,dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: $(BIN)/python $(SOURCES)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable ".[docs]"
	@touch $@ $(VENV)/.demo

$(VENV)/.frameworks: $(VENV)/.test
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable ".[torch,plot,dev,frameworks]"
	@touch $@
