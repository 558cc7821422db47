# make run       the tutorial from end to end on local Spark
# make test      every test
# make check     lint and types
# make docs      the documentation as HTML, in docs/_build/html; a warning is an error
# make dist      the wheel, and the zip for --py-files, in dist/
# make notebook  execute docs/tutorial.ipynb and store its outputs
#
# Each makes the environment in .venv first, if it is not there: Python 3.11 or newer and Java 17 or newer
# are all that has to be on the machine. PYTHON=python3.12 chooses another Python, SPARK="pyspark==4.3.0" another
# Spark (4.0 to 4.3). JOBS=2 runs tests in two processes side by side.

PYTHON ?= python3
SPARK ?= pyspark>=4.1,<4.2
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
BUILD ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
DIST ?= dist
OUTPUT ?= output/tutorial
JOBS ?= 0

.PHONY: run test check docs environment clean

run: environment $(STAMP)
	$(BIN)/python jobs/tutorial.py --output $(OUTPUT) --overwrite $(ARGS)

test: environment $(STAMP)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

check: environment $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: environment $(STAMP) $(DOCS_STAMP)
	$(BIN)/python -m sphinx -b html -W --keep-going -n -q docs docs/_build/html
	@echo 'docs/_build/html/index.html'

environment:
	@command -v $(PYTHON) >/dev/null || { echo "dp_spark: $(PYTHON) was not found: install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)." >&2; exit 2; }
	@$(PYTHON) -m dp_spark.environment

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[spark,tensorflow,test]' '$(SPARK)'
	touch $@

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) output spark-warehouse docs/_build

# The zip for --py-files is the wheel by another name: both hold the same files, data among them.
.PHONY: dist
dist:
	rm -rf $(DIST) && mkdir -p $(DIST)
	$(BUILD) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(DIST) .
	cp $(DIST)/dp_spark-*.whl $(DIST)/dp_spark.zip

.PHONY: notebook
notebook: environment $(STAMP)
	$(BIN)/python docs/execute_notebook.py docs/tutorial.ipynb
