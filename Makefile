# Two commands do everything: `make reproduce-table` and `make test`.
PYTHON ?= python3
STACK  ?= mini
DATA   ?=
# The embedded table takes a few minutes on two cores at this size; the paper's takes every case.
LIMIT  ?= $(if $(filter mini,$(STACK)),8,null)

REFERENCE_LIMIT ?= 64

BIN     := .venv/bin
STAMP   := .venv/.installed
DATASET := $(if $(DATA),dataset=tficon dataset.root='$(DATA)',dataset=mini)

# Allocator settings that keep glibc from returning every large tensor to the kernel: 2x on CPU training.
export MALLOC_MMAP_MAX_ = 0
export MALLOC_TRIM_THRESHOLD_ = 17179869184
export MALLOC_TOP_PAD_ = 268435456

.PHONY: help setup reproduce-table reference sweep-cfg sweep-steps sweep-lr sweep-iterations ablations bench \
	bench-extraction bench-workers bench-metrics test quick check digests mini mini-report validate validate-metrics clean clean-store

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 20

setup: $(STAMP) ## make .venv from pyproject.toml and constraints.txt

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

reproduce-table: $(STAMP) ## the main table: STACK=mini (default) or sd14, DATA=<TF-ICON folder>, LIMIT=<cases>
	$(BIN)/spin-bench experiment=table1 stack=$(STACK) $(DATASET) limit=$(LIMIT)

reference: $(STAMP) ## the committed reference runs of the embedded stack: the real domain, then the others
	$(BIN)/spin-bench experiment=table1 limit=$(REFERENCE_LIMIT) results_dir=results/reference store_dir=results/store
	$(BIN)/spin-bench experiment=domains results_dir=results/reference store_dir=results/store

sweep-cfg: $(STAMP) ## similarity against coherence over the guidance scale, STACK, DATA and LIMIT as above
sweep-steps: $(STAMP) ## over the denoising steps
sweep-lr: $(STAMP) ## over the learning rate of Spin's embedding
sweep-iterations: $(STAMP) ## over how long it is learned
sweep-cfg sweep-steps sweep-lr sweep-iterations:
	$(BIN)/spin-bench sweep=$(@:sweep-%=%) stack=$(STACK) $(DATASET) limit=$(LIMIT)
	$(BIN)/spin-bench sweep results/$(STACK)/$(if $(DATA),tficon,mini)/$@

ABLATIONS := components style saliency injection blending embedding
ABLATION_OPTIONS ?=

ablations: $(STAMP) ## the committed ablations of Spin: hours; ABLATION_OPTIONS='limit=16 steps=25' for a look
	for name in $(ABLATIONS); do \
		$(BIN)/spin-bench experiment=ablation_$$name $(ABLATION_OPTIONS) \
			results_dir=results/reference store_dir=results/store || exit; \
	done
	$(BIN)/python bench/ablation_page.py

bench: $(STAMP) ## time every method, and how much of it is not the networks'
	$(BIN)/python bench/overhead.py

bench-extraction: $(STAMP) ## time learning eight references in one batch against one by one
	$(BIN)/python bench/extraction.py

bench-workers: $(STAMP) ## time two Ray workers of one thread against one
	$(BIN)/python bench/workers.py

bench-metrics: $(STAMP) ## time scoring, and what sharing features between metrics saves
	$(BIN)/python bench/metrics.py

validate-metrics: $(STAMP) ## every metric on ladders of known faults, 64 cases of all domains of the embedded benchmark
	$(BIN)/spin-bench validate-metrics experiment=table1 dataset.domains=all results_dir=results/reference

# Rooms that are held to 90 % of their branches.
COVERED := store statistics metrics config run

test: $(STAMP) ## the test suite, two workers of one thread each, with branch coverage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	for room in $(COVERED); do \
		echo "branch coverage of $$room: $$($(BIN)/coverage report --include="spin_bench/$$room/*" --format=total) %"; \
		$(BIN)/coverage report --include="spin_bench/$$room/*" --fail-under=90 >/dev/null || exit; \
	done

quick: $(STAMP) ## the tests that load no models, under a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser and not ray"

check: $(STAMP) ## lint, format, imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

digests: $(STAMP) ## declare that the methods' changed code paints the same pictures
	$(BIN)/python -m spin_bench.methods.digests tests/methods/digests.json

mini: $(STAMP) ## train every embedded model from nothing; resumes after a kill
	$(BIN)/python -m training.make

mini-report: $(STAMP) ## measure the embedded models on scenes they never saw
	$(BIN)/python -m training.report

validate: $(STAMP) ## list every problem of DATA=<TF-ICON folder>
	$(BIN)/spin-bench validate $(DATASET)

clean: ## remove what can be made again: .venv, caches, results folders; never the store
	rm -rf .venv .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache results/hydra
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
	for stack in mini sd14 sd15 sd21; do rm -rf results/$$stack; done

clean-store: ## remove results/store, everything that was painted, once you have said yes
	@du -sh results/store
	@read -p "remove every picture and score in results/store? [y/N] " answer && [ "$$answer" = y ] && rm -rf results/store
