# Every command of the project. None needs an activated environment: `make setup` makes .venv, and the
# commands that need it make it first.

PYTHON ?=
ARGS ?=
WITH ?=

# Packages and settings of another environment must not be taken for those of .venv.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONUSERBASE PYTHONSTARTUP PYTHONPLATLIBDIR

MAKE_VENV := tools/make_venv.sh $(if $(PYTHON),"--python=$(PYTHON)")

VENV_PYTHON := .venv/bin/python
DEMO := --flagfile=configs/demo.flags
# Names as they could be; nothing is looked up.
DEMO_JOB := --features_dir=gs://a-bucket/demo/features --runner=DataflowRunner --project=a-project --region=us-central1 \
  --temp_location=gs://a-bucket/tmp --sdk_container_image=us-central1-docker.pkg.dev/a-project/images/tf_explainer:1 \
  --machine_type=n1-standard-4 --max_num_workers=8 --accelerator=nvidia-tesla-t4 --worker_min_ram=12GB

.DEFAULT_GOAL := help
.PHONY: help tensorboard setup developer lint test test_layers test_slow test_long test_kills demo dataflow_dry_run notebook test_onnx flink test_runners compare_runners benchmark_extraction benchmark_scale benchmark_peers benchmark_growth results performers_table benchmark_training benchmark_plugin requirements package release docs bazel bazel_build clean

help:  ## Shows this list
	@awk -F ':.*## ' '/^[a-z_]+:.*## / { printf "make %-21s %s\n", $$1, $$2 }' Makefile

setup:  ## Makes .venv as requirements/core.txt says (PYTHON=python3.12 chooses the interpreter, WITH=gcp or WITH=gpu adds)
	@$(MAKE_VENV) core $(WITH)

developer:  ## Adds what tests and checks need, as requirements/dev.txt says
	@$(MAKE_VENV) dev

lint: developer  ## Checks format, style and types
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	.venv/bin/lint-imports --no-logo
	$(VENV_PYTHON) -m mypy
	@if command -v npm >/dev/null; then npm ci --silent && npm exec --no -- biome check --error-on-warnings tf_explainer/plugins/web biome.json; \
	else echo "npm is not installed: the scripts of TensorBoard's tabs are not checked"; fi

# Files are shared out among processes. What ARGS chooses is mostly over before several have started.
IN_PARALLEL := --numprocesses=logical --maxprocesses=4

test: developer  ## Runs the fast tests (ARGS="tests/explainer/test_losses.py -k gradient" chooses some)
	$(VENV_PYTHON) -m pytest $(or $(ARGS),$(IN_PARALLEL) --dist=worksteal)

test_layers: developer  ## Tests layers and losses on a backend of Keras' (KERAS_BACKEND=jax make test_layers)
	$(VENV_PYTHON) -m pytest $(addprefix tests/explainer/test_,templates.py layers.py losses.py filter_losses.py part_losses.py part_maps.py explainer.py) \
	  tests/training/test_optimizer.py $(ARGS)

# Many of these wait for a browser or another process, so that three keep two cores busy.
SLOW_IN_PARALLEL := --numprocesses=3 --dist=loadfile

test_slow: developer  ## Runs the slow tests that every commit must pass
	$(VENV_PYTHON) -m pytest -m "slow and not long" $(or $(ARGS),$(SLOW_IN_PARALLEL))

test_long: developer  ## Runs the other slow tests, such as hundreds of random models and twenty kills (before a release)
	$(VENV_PYTHON) -m pytest -m long $(or $(ARGS),$(SLOW_IN_PARALLEL))

test_kills: developer  ## Kills the extraction at random moments, 20 times in a row: no byte may change
	$(VENV_PYTHON) -m pytest -m slow -s tests/pipelines/test_kills.py $(ARGS)

demo: setup  ## Runs the whole chain on drawn creatures, anew each time, into runs/demo
	rm -rf runs/demo
	$(VENV_PYTHON) -m tf_explainer run $(DEMO)
	@echo "All of it in a browser: make tensorboard"

tensorboard: setup  ## Opens the demo in TensorBoard, tab Parts (ARGS="--logdir=runs --port=6007" for other runs)
	@[ -n "$(ARGS)" ] || [ -d runs/demo/tensorboard ] || { echo "There is no demo yet: make demo"; exit 1; }
	$(VENV_PYTHON) -m tensorboard.main $(or $(ARGS),--logdir=runs/demo/tensorboard)

dataflow_dry_run: WITH = gcp
dataflow_dry_run: setup  ## Builds and checks a Dataflow job, submits nothing (ARGS="--flagfile=..." checks your own)
	@[ -n "$(ARGS)" ] || [ -e runs/demo/performer.keras ] || $(VENV_PYTHON) -m tf_explainer.train_performer $(DEMO)
	$(VENV_PYTHON) -m pipelines.dataflow_dry_run $(or $(ARGS),$(DEMO) $(DEMO_JOB))

notebook: WITH = notebook
notebook: setup  ## Runs docs/creatures.ipynb, and writes it with what it shows into build (ARGS=birds runs docs/birds.ipynb)
	$(VENV_PYTHON) tools/execute_notebook.py docs/$(or $(ARGS),creatures).ipynb build/$(or $(ARGS),creatures).ipynb

test_onnx: developer  ## Converts an export to ONNX, and compares what onnxruntime says (the converter goes into build/onnx)
	@$(MAKE_VENV) --into=build/onnx onnx
	PYTHONPATH=build/onnx $(VENV_PYTHON) -m pytest -m "slow or not slow" tests/explanation/test_saved_model.py -k onnx $(ARGS)

flink: setup  ## Gets the Flink engine, its job server and its distribution into build (needs java and mvn)
	mvn -q -B -f tools/flink_job_server/pom.xml package
	@$(MAKE_VENV) --into=build/flink flink

test_runners: developer  ## Runs the same extraction on every runner; `make flink` first, for Flink to be among them
	$(VENV_PYTHON) -m pytest -m "slow or not slow" tests/pipelines/test_runners.py $(ARGS)

compare_runners: developer  ## Extracts the real images beside the project on every runner, compares all files, prints times
	$(VENV_PYTHON) -m tests.pipelines.compare_runners $(ARGS)

# One lock file for each environment. All of them have the versions that were tested, those of dev.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --no-annotate
TESTED := -c requirements/dev.txt

requirements:  ## Compiles requirements/ from pyproject.toml, with hashes (ARGS=--upgrade; needs uv)
	$(COMPILE) pyproject.toml --extra gcp --extra notebook --extra dev -o requirements/dev.txt $(ARGS)
	$(COMPILE) pyproject.toml $(TESTED) -o requirements/core.txt
	for extra in gcp gpu notebook; do \
	  $(COMPILE) pyproject.toml --extra $$extra $(TESTED) -o requirements/$$extra.txt $(ARGS) || exit 1; done
	$(COMPILE) --group installer $(TESTED) -o requirements/installer.txt $(ARGS)
	for group in docs release; do $(COMPILE) --group $$group $(TESTED) -o requirements/$$group.txt $(ARGS) || exit 1; done
	for group in onnx flink peers; do $(COMPILE) --no-deps --group $$group -o requirements/$$group.txt $(ARGS) || exit 1; done

benchmark_extraction: developer  ## Measures extraction against the bare model (ARGS="--only VGG")
	$(VENV_PYTHON) -m benchmarks.extraction $(ARGS)

benchmark_scale: developer  ## Measures how extraction grows with the number of images (ARGS="1000 10000" chooses)
	$(VENV_PYTHON) -m benchmarks.scale $(or $(ARGS),1000 10000 100000)

benchmark_peers: developer  ## Measures the project beside others (ARGS="WORKDIR PHOTOGRAPHS"; others go into build/peers, 5 GB)
	@$(MAKE_VENV) --into=build/peers peers
	PYTHONPATH=build/peers $(VENV_PYTHON) -m pytest tests/benchmarks/test_torch_icnn.py
	PYTHONPATH=build/peers $(VENV_PYTHON) -m benchmarks.peers $(ARGS)

benchmark_growth: developer  ## Measures how a training step grows, and draws docs/growth.svg
	$(VENV_PYTHON) -m benchmarks.growth $(ARGS)

benchmark_training: developer  ## Measures a training step and its parts (ARGS=20: rounds)
	$(VENV_PYTHON) -m benchmarks.training $(ARGS)

package: developer  ## Builds wheel and sdist of what is here into dist, checks them, and runs a step from a fresh environment
	rm -rf dist
	$(VENV_PYTHON) -m build --no-isolation --outdir=dist .
	$(VENV_PYTHON) -m twine check --strict dist/*
	tools/try_wheel.sh dist/*.whl

release: developer  ## Builds wheel, sdist and bill of materials of the last commit into dist, checks and tries them
	@$(MAKE_VENV) --into=build/release release
	rm -rf dist
	PYTHONPATH=build/release $(VENV_PYTHON) tools/release.py dist
	$(VENV_PYTHON) -m twine check --strict dist/*.whl dist/*.tar.gz
	tools/try_wheel.sh dist/*.whl
	@cd dist && sha256sum * && echo 'Next: "A release" in CONTRIBUTING.md, from "tag" on'

docs: developer  ## Builds the documents, with the reference of the library, as a site into build/site, and follows its links
	@$(MAKE_VENV) --into=build/docs docs
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=build/docs $(VENV_PYTHON) -m mkdocs build --strict
	$(VENV_PYTHON) -m pytest -m slow tests/test_site.py

benchmark_plugin: developer  ## Measures the TensorBoard tabs in headless Chromium (ARGS="--logdir=runs/fox/tensorboard")
	$(VENV_PYTHON) -m benchmarks.plugins $(ARGS)

bazel_build: developer  ## Builds by Bazel, offline (needs npm and Linux on x86-64)
	tools/bazel.sh lint
	tools/bazel.sh build //...

bazel: bazel_build  ## Builds and tests by Bazel (ARGS=//:tests/explainer/test_losses chooses)
	tools/bazel.sh test $(or $(ARGS),//...)

results: setup  ## Runs all of docs/results.md (ARGS="--data_dir=DATA --backbone_weights=WEIGHTS"); hours
	$(VENV_PYTHON) -m benchmarks.results $(ARGS)

performers_table: setup  ## Runs one model of each family through the chain, for docs/performers.md (ARGS=ResNet50 chooses)
	$(VENV_PYTHON) -m benchmarks.families $(ARGS)

clean:  ## Removes .venv, caches and runs/demo; other runs stay
	[ ! -d .venv ] || mv .venv .venv.removed-by-clean
	rm -rf .venv.* .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info runs/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
