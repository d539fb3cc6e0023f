# The commands that people and .ci/run both use. A fresh Debian or Ubuntu with git and make
# is enough: what else is needed is installed here.

# Empty: the first of python3.11, 3.12, 3.13 and python3 that there is.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := train,export,tensorflow,tracing,netron,dev

.DEFAULT_GOAL := help
.PHONY: help demo serve test unit coverage check format zoo fuzz soak bench bench-quick proto clean

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# Made again when what is to be installed changes. The stamp is touched last, so an
# interrupted installation is not taken for a whole one.
$(VENV)/.installed: pyproject.toml constraints.txt tools/install.sh tools/apt.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh tools/install.sh
	@touch $@

demo: $(VENV)/.installed ## train, export, serve and predict, the whole way, on MNIST
	$(BIN)/python tools/demo.py

serve: $(VENV)/.installed ## serve models/ in the foreground
	$(BIN)/runtime serve

# Of the zoo's thousand models, one a layer and a function.
test: $(VENV)/.installed ## all tests; real processes among them
	$(BIN)/python -m pytest -n auto --maxprocesses=4 -m "not further"

unit: $(VENV)/.installed ## the tests that need neither TensorFlow nor real processes
	$(BIN)/python -m pytest -m "not slow and not tensorflow"

# tools/coverage/ is on the path of every process that the tests start. What failed is told
# after the figures: a test that counts time may fail where every line is counted.
coverage: $(VENV)/.installed ## all tests, and which lines and branches they ran; half an hour
	rm -rf .coverage
	PYTHONPATH="$(CURDIR):$(CURDIR)/tools/coverage" $(BIN)/python -m pytest -n auto \
		--maxprocesses=4 -m "not further"; code=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$code

check: $(VENV)/.installed ## formatting, lints, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed ## bring the code into the one form that check wants
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

zoo: $(VENV)/.installed ## convert and prove the whole zoo, for docs/zoo.md; ZOO=layers: one family, or one model
	$(BIN)/python -m tools.zoo $(if $(ZOO),"$(ZOO)")

FUZZ ?= 20000
fuzz: $(VENV)/.installed ## damaged requests to every route, and slow ones; FUZZ=100000: so many; FUZZ_SEED=7: others
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -s tests/fuzz

SOAK ?= 100
soak: $(VENV)/.installed ## predict while versions come and go and workers are killed; SOAK=1000: so many versions
	SOAK=$(SOAK) $(BIN)/python -m pytest -s tests/end_to_end/test_soak.py

bench: $(VENV)/.installed ## measure ours and its peers, for docs/benchmarks.md; an hour; BENCH="--growth": see --help
	sh bench/install.sh
	$(BIN)/python -m bench $(BENCH)

bench-quick: $(VENV)/.installed ## measure ours and naive Falcon, in two minutes, and write nothing
	sh bench/install.sh
	$(BIN)/python -m bench --quick $(BENCH)

proto: $(VENV)/.installed ## generate the Python modules of all .proto files
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. runtime/wire/*.proto runtime/programs/*.proto

clean: ## remove what the other targets made, but for the store
	rm -rf $(VENV) .bench .coverage demo dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
