PROMPT ?= a pineapple in a bowl
PAIR ?= emoji
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Without an NVIDIA GPU the CPU build of torch does, and is gigabytes smaller. Empty: the usual index only.
TORCH_INDEX ?= $(shell [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 \
	&& echo https://download.pytorch.org/whl/cpu)

.PHONY: demo test browser quick studio lint clean

demo: $(READY)  ## make demo PROMPT="a fox": picture, GIF and executed notebook in outputs/
	@mkdir -p outputs
	@$(BIN)/papermill --no-progress-bar --log-level ERROR notebooks/1_studio.ipynb outputs/1_studio.ipynb \
		-p PROMPT "$(PROMPT)" -p PAIR "$(PAIR)" -p OUTPUT "$(CURDIR)/outputs"
	@$(BIN)/python -c "import nbformat; \
	cell = [c for c in nbformat.read('outputs/1_studio.ipynb', 4).cells if c.cell_type == 'code'][-1]; \
	print(*(o.text for o in cell.outputs if 'text' in o), sep='', end='')"
	@echo "$(CURDIR)/outputs/1_studio.ipynb"

test: $(READY) lint  ## everything but the browser, the slow tests too
	$(BIN)/python -m pytest -q -m "not browser"

browser: $(READY)  ## the Studio in a real Chromium, on JupyterLab and Voila: a few minutes
	$(BIN)/python -m pytest -q -m browser

quick: $(READY)  ## what a minute or two can tell
	$(BIN)/python -m pytest -q -m "not slow and not browser"

studio: $(READY)  ## JupyterLab on the Studio
	$(BIN)/jupyter lab notebooks/1_studio.ipynb

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e ".[notebooks,test]"
	touch $(READY)

clean:
	rm -rf .venv outputs
