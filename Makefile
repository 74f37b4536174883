# `make help` lists the targets. Every target makes what it lacks; no environment has to be activated.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
# Compiled modules are kept, whatever the environment says: to import everything takes 4 s then, and 10 s without.
export PYTHONDONTWRITEBYTECODE :=

BIN       := .venv/bin
INSTALLED := .venv/.installed
UV        := $(BIN)/uv
PYTHONS   := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
RUNS      := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# Moment of a toy video that becomes its picture in train-align: localizer, middle, random or true.
FRAME     := localizer
SHARDS    := data/toy/shards-$(FRAME)/dataset.json
# More pictures than train-align needs: what its networks in git have learned from.
LARGE     := data/toy-large/shards-true/dataset.json
# In git: a fresh clone aligns and draws at once. `make train-encoder`, `train-judge`, `train-gan` make them anew.
TOY       := experiments/artifacts/toy
# What training leaves: one's own audio encoder, and the baselines.
TRAINED   := artifacts/toy
# The audio encoder whose control `make claims` measures; HEARING=artifacts/toy/audio-encoder takes your own.
HEARING   := $(TOY)/audio-encoder
# What `make ablations` trains: seeds, recipes by their names, and epochs (none: as the recipes say). LENGTH is also
# that of `make chain`: short or step.
SEEDS     := 0 1 2
RECIPES   := $(sort $(basename $(notdir $(wildcard experiments/ablations/*.yaml))))
LENGTH    :=
FIT       := $(BIN)/sound2scene fit -c experiments/trainer.yaml

# In a log the installer names its errors alone; on a terminal it shows how far it is.
QUIET     := $(if $(MAKE_TERMOUT),,--quiet)

.PHONY: help install lock check format test test-slow test-browser test-cov golden data-toy data-toy-large train-localizer train-encoder train-judge train-reader train-gan train-align train-manifold train-s2i-audio train-s2i figure3 chain ablations claims notebooks lab clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the locked packages (PYTHON=... names another Python 3.11 to 3.13)

lock: $(INSTALLED) ## Rewrite requirements.lock from setup.cfg, keeping pins that still fit (UPGRADE=--upgrade renews all)
	$(UV) pip compile -q --universal --python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock' --extra dev $(UPGRADE) setup.cfg -o requirements.lock

check: $(INSTALLED) ## Lint, format, types and floors; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## Mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test: $(INSTALLED) ## The quick tests (about 4 minutes on 2 cores; MORE=1 adds the costly ones, as a change must pass them)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow$(if $(MORE),, and not costly)'

test-slow: $(INSTALLED) ## The tests that take minutes
	$(BIN)/python -m pytest -n 2 -m slow

test-browser: $(INSTALLED) ## The web page in a real browser, alone on the machine
	$(BIN)/python -m pytest tests/demo/test_server.py

test-cov: $(INSTALLED) ## The quick and the costly tests, with the share of src they run
	$(BIN)/python -m pytest -n 2 -m 'not slow' --cov

golden: $(INSTALLED) ## Rewrite the golden losses (then say so in CHANGELOG.md under "Numbers")
	$(BIN)/python tests/golden.py

data-toy: $(SHARDS) ## The toy world: videos with sound, moments chosen by the localizer (FRAME=...), shards

data-toy-large: $(LARGE) ## A larger toy world, from which its image encoder, judge, reader and generator learn

train-localizer: $(INSTALLED) ## Make the toy localizer anew, which chooses the moments (8 minutes on 2 cores)
	$(FIT) -c experiments/localizer/toy.yaml

train-encoder: $(LARGE) ## Make the toy image encoder anew (SwAV; over half an hour on 2 cores; the generator then has to follow)
	$(FIT) -c experiments/encoder/toy.yaml

train-judge: $(LARGE) ## Make the toy judge anew, whose features FID and IS use (1 minute)
	$(FIT) -c experiments/judge/toy.yaml

train-reader: $(LARGE) ## Make the toy reader anew, which tells what pictures show
	$(FIT) -c experiments/reader/toy.yaml

train-gan: $(LARGE) $(TOY)/image-encoder/card.json $(TOY)/judge/card.json $(TOY)/reader/card.json ## Make the toy generator anew (about 5 hours on 2 cores)
	$(FIT) -c experiments/gan/toy.yaml

train-align: $(SHARDS) $(TOY)/generator/card.json ## The main job: train the audio encoder on the toy world, and draw
	$(FIT) -c experiments/align/toy.yaml --data.init_args.frame $(FRAME)

notebooks: $(INSTALLED) ## Run every notebook from a clean kernel; the copies with their figures lie in runs/notebooks
	@mkdir -p runs/notebooks
	$(BIN)/jupyter-execute --output='../runs/notebooks/{notebook_name}' $(wildcard notebooks/*.ipynb)

lab: $(INSTALLED) ## Open the notebooks in JupyterLab, which is installed first (extra `notebooks`)
	@$(UV) pip install $(QUIET) --python $(BIN)/python -c requirements.lock -r setup.cfg --extra notebooks
	$(BIN)/jupyter-lab --LabApp.default_url=/lab/tree/notebooks

claims: $(LARGE) $(TOY)/image-encoder/card.json $(TOY)/reader/card.json $(TOY)/generator/card.json ## Measure the paper's claims of control on the toy test split, and print their table
	$(BIN)/sound2scene control-score --data $(<D) --audio-encoder $(HEARING) -o runs/claims

ablations: data/toy/shards-true/dataset.json data/toy/shards-localizer/dataset.json data/toy/shards-localizer_top5/dataset.json $(TOY)/generator/card.json ## Train and compare recipes that differ in one choice (SEEDS, RECIPES, LENGTH in epochs, WANDB=1)
	$(BIN)/sound2scene ablations $(RECIPES:%=experiments/ablations/%.yaml) --seeds $(SEEDS) $(LENGTH:%=--length %) $(if $(WANDB),--wandb) -o runs/ablations

train-manifold: $(SHARDS) $(TOY)/judge/card.json ## The baseline by Pedersoli et al. on the toy world: codes of pictures, then sound onto them
	$(FIT) -c experiments/manifold/toy_autoencoder.yaml --data.init_args.frame $(FRAME)
	$(FIT) -c experiments/manifold/toy.yaml --data.init_args.frame $(FRAME)

train-s2i-audio: $(SHARDS) ## First stage of the baseline S2I on the toy world: its audio autoencoder
	$(FIT) -c experiments/s2i/toy_audio.yaml --data.init_args.frame $(FRAME)

train-s2i: $(SHARDS) $(TRAINED)/s2i-audio/card.json $(TOY)/judge/card.json ## Second stage of the baseline S2I: its generator
	$(FIT) -c experiments/s2i/toy.yaml --data.init_args.frame $(FRAME)

figure3: $(SHARDS) $(TRAINED)/audio-encoder/card.json $(TRAINED)/manifold-audio/card.json $(TRAINED)/s2i-generator/card.json ## The paper's Figure 3 on the toy world: trains what is missing, then table and picture in results/
	$(BIN)/sound2scene evaluate ours=sound2scene:audio_encoder=$(TRAINED)/audio-encoder manifold s2i ceiling \
		nearest:audio_encoder=$(TRAINED)/audio-encoder shuffled:audio_encoder=$(TRAINED)/audio-encoder class_mean \
		--data $(<D) --draws 2 -o results/figure3.json || [ $$? -eq 1 ] # class_mean has no picture of two sources
	$(BIN)/sound2scene compare results/figure3.json --base ours --published -o results/figure3.md

chain: $(INSTALLED) ## Every stage from an empty folder to the table of Figure 3, in runs/from_nothing (LENGTH=short, or step)
	LENGTH=$(or $(LENGTH),full) experiments/from_nothing.sh

clean: ## Remove caches, coverage and builds; keep .venv, data, artifacts and runs
	rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests experiments -name __pycache__ -prune -exec rm -rf {} +

# What is present is never made again: delete it to renew it.
data/toy/shards-%/dataset.json: | $(INSTALLED) $(TOY)/localizer/card.json
	$(BIN)/sound2scene prepare toy -o $(@D) --videos data/toy/videos --frame $*

$(LARGE): | $(INSTALLED)
	$(BIN)/sound2scene prepare toy -o $(@D) --videos data/toy-large/videos --train 4096 --test 512

$(TOY)/localizer/card.json:
	$(MAKE) train-localizer

$(TOY)/image-encoder/card.json:
	$(MAKE) train-encoder

$(TOY)/judge/card.json:
	$(MAKE) train-judge

$(TOY)/reader/card.json:
	$(MAKE) train-reader

$(TOY)/generator/card.json:
	$(MAKE) train-gan

$(TRAINED)/audio-encoder/card.json:
	$(MAKE) train-align

$(TRAINED)/manifold-audio/card.json:
	$(MAKE) train-manifold

$(TRAINED)/s2i-audio/card.json:
	$(MAKE) train-s2i-audio

$(TRAINED)/s2i-generator/card.json:
	$(MAKE) train-s2i

# The environment: uv stands in .venv only when .venv is whole, .installed only when every package is.
$(INSTALLED): requirements.lock setup.cfg pyproject.toml | $(UV)
	@echo "installing $$(grep -c == requirements.lock) packages into .venv"
	@$(UV) pip install $(QUIET) --python $(BIN)/python -r requirements.lock
	@$(UV) pip install $(QUIET) --python $(BIN)/python --no-deps -e .
	@touch $@

$(UV):
	@for python in $(PYTHONS); do "$$python" -c '$(RUNS)' 2>/dev/null && break; python=; done; \
	[ -n "$$python" ] || { echo 'no Python 3.11 to 3.13 with venv among: $(PYTHONS); install one or name it: make install PYTHON=/path/to/python3.12' >&2; exit 1; }; \
	echo "making .venv with $$python"; set -e; \
	"$$python" -m venv --clear .venv; $(BIN)/python -m pip install -qq $$(grep '^uv==' requirements.lock)
