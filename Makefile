.DEFAULT_GOAL := help
INDEX ?= cache/fashion
POINTS ?= 1000
SEED ?= 1
MINUTES ?= 10
OUT ?= benchmarks/results/after

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

check: ## ruff, mypy, the import contract, the linter of the page's scripts
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	npm ci --silent --no-audit --no-fund && npx biome ci fitting_room/ui/components

test: ## every test, as the gate runs them
	pytest

test-fast: ## every test but the browser's and those on the real catalogue
	pytest -m "not browser and not real"

torture: ## a thousand kills, stops and full disks at chosen moments, and long sequences of changes
	python -m tests.build.torture --points $(POINTS) --seed $(SEED)
	python -m tests.build.sequences --examples 400 --steps 8 --random

fuzz: ## atheris on pictures, tables, archives and indexes; MINUTES for each, TARGET=decode for one
	python -m tests.fuzzing.run --minutes $(MINUTES) $(if $(TARGET),--target $(TARGET))

lock: ## the lock files anew, after a change of pyproject.toml; with UPGRADE=1 the newest versions
	python -m scripts.lock $(if $(UPGRADE),--upgrade)

audit: ## known weaknesses of the locked libraries (pip install pip-audit, best apart from the rest)
	python -m scripts.audit

bench: ## every benchmark, some 25 minutes on 2 idle cores; QUICK=1 a few; INDEX=DIR, OUT=DIR
	python -m benchmarks.run --out $(OUT) --index $(INDEX) $(if $(QUICK),--quick)

performance: ## docs/performance.md, from docs/performance/ and what was measured
	python -m benchmarks.document

screenshots: ## the pictures of README.md, taken anew
	python scripts/make_screenshots.py

.PHONY: help check test test-fast torture fuzz lock audit bench performance screenshots
