PROMPT ?= a green frog on a yellow background
PAIR ?= emoji
PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
# Both travel by the environment as they were typed: make expands nothing in them, no shell reads them.
override PROMPT := $(value PROMPT)
override PAIR := $(value PAIR)
override REPO := $(value REPO)
export PROMPT PAIR REPO

.PHONY: demo test test-all browser studio lint venv venv-test venv-pages docs address pages tutorials clean

demo: venv  ## make demo PROMPT="a fox": outputs/picture.png and outputs/picture.gif
	@mkdir -p outputs
	@$(BIN)/python -m vqclip_nb --pair "$$PAIR" --out outputs/picture.png --out outputs/picture.gif -- "$$PROMPT"

studio: venv  ## JupyterLab on the Studio
	@$(BIN)/python -m vqclip_nb studio --folder notebooks

test: venv-test lint  ## style, types, and the tests of every part: minutes
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --durations=12 -m "not slow and not browser"

test-all: test  ## the slow tests too: all notebooks, killed processes, a fresh clone
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --durations=12 -m "slow and not browser"

browser: venv-test  ## the Studio in a real Chromium, on JupyterLab and Voila: a few minutes
	$(BIN)/python -m pytest -q -m browser

lint: venv-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: venv-test  ## address and tables into README, docs and notebooks
	$(BIN)/python docs/make.py

address: venv-test  ## make address REPO=owner/name: the repository's address, everywhere
	$(BIN)/python docs/make.py --address "$$REPO"

pages: venv-pages  ## the site, in build/pages; fails on a broken link
	$(BIN)/python -m mkdocs build --strict

tutorials: venv-pages  ## the notebooks with their figures, for the next `make pages`: 20 minutes
	$(BIN)/python -m docs.tutorials

venv:
	@$(PYTHON) install.py notebooks

venv-pages:
	@$(PYTHON) install.py notebooks pages

venv-test:
	@$(PYTHON) install.py notebooks test

clean:
	rm -rf .venv outputs
