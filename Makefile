PROMPT ?= a green frog on a yellow background
PAIR ?= emoji
PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
# Both travel by the environment as they were typed: make expands nothing in them, no shell reads them.
override PROMPT := $(value PROMPT)
override PAIR := $(value PAIR)
export PROMPT PAIR

.PHONY: demo test browser quick studio lint venv venv-test docs clean

demo: venv  ## make demo PROMPT="a fox": outputs/picture.png and outputs/picture.gif
	@mkdir -p outputs
	@$(BIN)/python -m vqclip_nb --pair "$$PAIR" --out outputs/picture.png --out outputs/picture.gif -- "$$PROMPT"

studio: venv  ## JupyterLab on the Studio
	@$(BIN)/python -m vqclip_nb studio --folder notebooks

test: venv-test lint  ## everything but the browser, the slow tests too
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not browser"

browser: venv-test  ## the Studio in a real Chromium, on JupyterLab and Voila: a few minutes
	$(BIN)/python -m pytest -q -m browser

quick: venv-test  ## what a minute or two can tell
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not browser"

lint: venv-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

docs: venv-test  ## address and tables into README, docs and notebooks
	$(BIN)/python docs/make.py

venv:
	@$(PYTHON) install.py notebooks

venv-test:
	@$(PYTHON) install.py notebooks test

clean:
	rm -rf .venv outputs
