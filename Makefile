# The commands that people and .ci/run both use. A fresh Debian or Ubuntu with git and make
# is enough, because the commands install everything else.

# If PYTHON is empty, the first of python3.11, 3.12, 3.13 and python3 is taken.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := train,data,objects,cluster,tune,export,tensorflow,tracing,netron,grpc,site,release,dev
# Images for containers often set this. The tests start hundreds of processes, and each
# would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo serve test unit coverage check format docs site notebook zoo fuzz soak cluster-test mutate bench bench-quick proto dist audit lowest clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# The environment is made again when one of these files changes. The stamp is touched last,
# so an interrupted installation does not count as a whole one.
$(VENV)/.installed: pyproject.toml constraints.txt tools/install.sh tools/apt.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh tools/install.sh
	@touch $@

# A browser takes 80 MB, so only the targets whose tests drive it ask for one.
$(VENV)/.browser: $(VENV)/.installed tools/browser.sh
	sh tools/browser.sh
	@touch $@

demo: $(VENV)/.installed ## train, export, serve and predict with MNIST
	$(BIN)/python tools/demo.py

serve: $(VENV)/.installed ## serve models/ in the foreground
	$(BIN)/runtime serve

# tests/conftest.py says which tests come first, and which go to one process because they
# share things that take long to make. xdist's own order would be by the number of tests.
# Many tests wait for servers, so there are two processes more than cores, up to 4. Each
# takes up to 2.5 GB of memory with the servers that it starts.
PROCESSES := $(shell cores=$$(nproc); awk -v most=$$((cores < 2 ? cores + 2 : 4)) \
	'/^MemTotal/ {n = int($$2 / 2500000); print n < 1 ? 1 : n < most ? n : most}' /proc/meminfo || echo 2)
PARALLEL := -n $(PROCESSES) --no-loadscope-reorder

# The zoo has more than a thousand models; the tests take one for each layer and function.
test: $(VENV)/.browser ## run the tests, with real processes
	$(BIN)/python -m pytest $(PARALLEL) -m "not further and not cluster"

unit: $(VENV)/.installed ## run the tests that need neither TensorFlow nor real processes
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not tensorflow"

# tools/coverage/ is on the path of every process that the tests start. The figures come
# before the exit code, because a test that measures time may fail where lines are counted.
coverage: $(VENV)/.browser ## run the tests in half an hour, and count the lines and branches that they run
	rm -rf .coverage
	PYTHONPATH="$(CURDIR):$(CURDIR)/tools/coverage" $(BIN)/python -m pytest $(PARALLEL) \
		-m "not further and not cluster"; code=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$code

check: $(VENV)/.installed ## check formatting, lints, types, the imports between packages, and the documentation's links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	if command -v tsc; then tsc -p tools/page; fi
	$(BIN)/python -m tools.site

format: $(VENV)/.installed ## format the code as make check demands
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed ## write the reference pages anew
	$(BIN)/python -m tools.reference

site: $(VENV)/.installed ## make a site of the documentation in site/, which needs no network
	$(BIN)/python -m tools.site

notebook: $(VENV)/.installed ## run docs/mnist.ipynb, and write its outputs into it
	$(BIN)/python -m tools.notebook

zoo: $(VENV)/.installed ## convert and prove the zoo, and write docs/zoo.md; ZOO=layers takes one family, or one model
	$(BIN)/python -m tools.zoo $(if $(ZOO),"$(ZOO)")

FUZZ ?= 20000
fuzz: $(VENV)/.installed ## send damaged and slow requests to every route, and raw bytes over sockets; FUZZ=100000 sends so many, FUZZ_SEED=7 others
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -s tests/fuzz tests/runtime/http/openapi

SOAK ?= 100
soak: $(VENV)/.installed ## predict while versions change and workers are killed; SOAK=1000 makes so many versions
	SOAK=$(SOAK) $(BIN)/python -m pytest -s tests/end_to_end/test_soak.py

CLUSTER ?= 100
cluster-test: $(VENV)/.installed ## serve, score and train on nodes of Ray, and try an object store with two servers of S3, with kills; CLUSTER=1000 makes so many races, CLUSTER=short takes three minutes
	CLUSTER=$(CLUSTER) $(BIN)/python -m pytest -s -m cluster tests/end_to_end

mutate: $(VENV)/.installed ## put small faults into the code and count those that tests find; ROOM=bundle/decode.py takes one file, SAMPLE=50 so many faults
	SAMPLE=$(SAMPLE) $(BIN)/python -m tools.mutating $(ROOM)

bench: $(VENV)/.installed ## measure this project and its peers in more than an hour, and write docs/benchmarks.md; BENCH="--help" lists options
	sh bench/install.sh
	$(BIN)/python -m bench $(BENCH)

bench-quick: $(VENV)/.installed ## measure this project and naive Falcon in three minutes, and write nothing
	sh bench/install.sh
	$(BIN)/python -m bench --quick $(BENCH)

proto: $(VENV)/.installed ## generate the Python modules of all .proto files
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. runtime/wire/*.proto runtime/wire/*/*.proto runtime/programs/*.proto

dist: $(VENV)/.installed ## build wheel and sdist into dist/, check them, and write their bill of materials and digests
	$(BIN)/python -m tools.release

audit: $(VENV)/.installed ## look for known vulnerabilities of the pinned versions; without the data, list them with their licences
	$(BIN)/python -m tools.release.audit

lowest: $(VENV)/.installed ## run the unit tests with the lowest versions that pyproject.toml allows, in .lowest
	PYTHON="$(BIN)/python" sh tools/lowest.sh $(PARALLEL)

clean: ## remove everything that the other targets made, except the store
	rm -rf $(VENV) .bench .clients .coverage .fresh .lowest demo dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
