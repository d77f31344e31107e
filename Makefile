PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= $(or $(SPINEALIGN_DATA),../shared/data)
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
DEFAULT := spinealign/assets/default
WEIGHTS := models/default
XRAY := spinealign/assets/xray
XRAY_WEIGHTS := models/xray
TRAIN_XRAY = $(BIN)/python train.py --task vertebrae --data_dir "$(DATA)/scoliosis_xray" --repairs $(XRAY_WEIGHTS)/repairs.csv \
  --extra_dir build/xray/frontal --background_dir build/xray/lateral build/xray/neck \
  "$(DATA)/spider/sagittal/1[0-4]*" "$(DATA)/cervical fracture/train/*/*(1[0-9]*)-rotated1.png" \
  --fold_predictions $(XRAY_WEIGHTS)/folds.json --use_cpu
MRI := spinealign/assets/mri
MRI_WEIGHTS := models/mri
TRAIN_MRI = $(BIN)/python train.py --task vertebrae --kind sagittal_mr --data_dir "$(DATA)/lumbar_mri" "$(DATA)/spider" \
  --fold_predictions $(MRI_WEIGHTS)/folds.json --use_cpu
PARALLEL := --numprocesses 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo app test test-slow check docs default-model default-card default-figures xray-folds xray-model xray-figures kind-model kind-figures mri-folds mri-model mri-figures conformance screenshots wheel clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-24s %s\n", $$1, $$2 }'

demo: $(VENV)/base  ## Install, then predict three images and measure two with the embedded models
	@$(BIN)/spinealign demo

app: $(VENV)/app  ## Install, then open the page
	@$(BIN)/spinealign app

test: $(VENV)/dev  ## Install, then run the tests, without the slow ones
	@$(BIN)/python -m pytest -m "not slow" $(PARALLEL) --cov --cov-report=term --durations=10

test-slow: $(VENV)/dev  ## Install, then run the slow tests
	@$(BIN)/python -m pytest -m slow $(PARALLEL) --durations=10

check: $(VENV)/dev  ## Lint, formatting and types, of the Dockerfile too
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/hadolint Dockerfile

docs: $(VENV)/dev  ## Build the documentation into build/site; open build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Seeds 0 to 7,399 are the phantoms of the embedded model; other work draws higher ones.
build/phantoms/manifest.csv: spinealign/phantoms/phantom_set.py spinealign/phantoms/axial_neck.py spinealign/phantoms/soft_tissue.py \
		spinealign/phantoms/vertebra.py spinealign/phantoms/geometry.py | $(VENV)/dev
	@rm -rf build/phantoms
	@$(BIN)/spinealign phantoms build/phantoms --train 6000 --val 400 --test 1000 --seed 0

default-model: build/phantoms/manifest.csv | $(VENV)/dev  ## Rebuild the embedded model (needs DATA; about an hour on two cores)
	@$(BIN)/python train.py --data_dir "$(DATA)/cervical fracture" build/phantoms \
	  --model_name_or_path "$(DATA)/deit-tiny-patch16-224" --card_notes docs/default_model.md \
	  --output_dir build/spinealign-default --num_train_epochs 5 --target_sensitivity 0.95 \
	  --use_cpu --weights_dtype bfloat16
	@mkdir -p $(DEFAULT) $(WEIGHTS)
	@cd build/spinealign-default && cp README.md *.json *.png *.onnx *.safetensors ../../$(DEFAULT)/
	@mv $(DEFAULT)/model.safetensors $(WEIGHTS)/
	@sed 's#](\([a-z_]*\.png\))#]($(DEFAULT)/\1)#' $(DEFAULT)/README.md > model_card.md

default-card: build/phantoms/manifest.csv | $(VENV)/dev  ## Score the embedded model again and render its card, without training (needs DATA)
	@$(BIN)/python benchmarks/rescore_default.py "$(DATA)/cervical fracture" build/phantoms
	@sed 's#](\([a-z_]*\.png\))#]($(DEFAULT)/\1)#' $(DEFAULT)/README.md > model_card.md

default-figures: $(VENV)/dev  ## Measure the embedded model again (needs DATA)
	@$(BIN)/python benchmarks/default_model.py --data "$(DATA)"

# Drawn spines and images of other kinds, which the x-ray model learns to find or to reject.
build/xray/drawn: spinealign/phantoms/drawn_spine.py spinealign/phantoms/frontal_spine.py spinealign/phantoms/lateral_spine.py \
		spinealign/alignment/drawn_films.py | $(VENV)/dev
	@rm -rf build/xray/frontal build/xray/lateral build/xray/neck
	@$(BIN)/spinealign phantoms build/xray/frontal --kind frontal --train 40 --val 0 --test 0 --seed 0
	@$(BIN)/spinealign phantoms build/xray/lateral --kind lateral --train 60 --val 0 --test 0 --seed 0
	@$(BIN)/spinealign phantoms build/xray/neck --train 30 --val 0 --test 0 --seed 0
	@touch $@

xray-folds: build/xray/drawn | $(VENV)/dev  ## Cross-validate the x-ray model (needs DATA; more than an hour)
	@$(TRAIN_XRAY) --output_dir build/xray/folds --folds 3 --fold_epochs 60 --folds_only

xray-model: build/xray/drawn | $(VENV)/dev  ## Rebuild the embedded x-ray model (needs DATA; about 85 minutes)
	@$(TRAIN_XRAY) --output_dir build/xray/spinealign-xray --card_notes docs/xray_model.md
	@mkdir -p $(XRAY) $(XRAY_WEIGHTS)
	@cd build/xray/spinealign-xray && cp README.md *.json *.png *.onnx ../../../$(XRAY)/
	@cp build/xray/spinealign-xray/model.safetensors $(XRAY_WEIGHTS)/

xray-figures: $(VENV)/dev  ## Measure the embedded x-ray model again, and print the cross-validation (needs DATA)
	@$(BIN)/python benchmarks/xray_model.py --data "$(DATA)"

kind-model: $(VENV)/dev  ## Rebuild the embedded model of image kinds (needs DATA; about ten minutes)
	@$(BIN)/python benchmarks/kind_model.py --data "$(DATA)" --train build/kind

kind-figures: $(VENV)/dev  ## Measure the embedded model of image kinds again (needs DATA)
	@$(BIN)/python benchmarks/kind_model.py --data "$(DATA)"

mri-folds: $(VENV)/dev  ## Cross-validate the model for lumbar MR (needs DATA; more than an hour)
	@$(TRAIN_MRI) --output_dir build/mri/folds --folds 5 --fold_epochs 60 --folds_only

mri-model: $(VENV)/dev  ## Rebuild the embedded model for lumbar MR (needs DATA; at most an hour on two cores)
	@$(TRAIN_MRI) --output_dir build/mri/spinealign-mri --card_notes docs/mri_model.md
	@mkdir -p $(MRI) $(MRI_WEIGHTS)
	@cd build/mri/spinealign-mri && cp README.md *.json *.png *.onnx ../../../$(MRI)/
	@cp build/mri/spinealign-mri/model.safetensors $(MRI_WEIGHTS)/

mri-figures: $(VENV)/dev  ## Print the figures of the model for lumbar MR (needs DATA)
	@$(BIN)/python benchmarks/mri_model.py --data "$(DATA)"

conformance: $(VENV)/dev  ## Compare DICOM test files with pydicom, for docs/conformance.md (needs DATA)
	@$(BIN)/python benchmarks/dicom_conformance.py "$(DATA)/dicom_conformance"

screenshots: $(VENV)/dev  ## Take the pictures of the page in docs/images (needs Chromium)
	@$(BIN)/python benchmarks/screenshots.py

wheel: $(VENV)/dev  ## Build the wheel
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean:  ## Remove what was built
	rm -rf $(VENV) build dist .coverage .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing spinealign into $(VENV) (once, about 300 MB) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/app: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing spinealign with its page into $(VENV) (once, about 500 MB) ..."
	@$(PIP) --editable ".[app]"
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing everything for training and tests into $(VENV) (once, about 2 GB, a few minutes) ..."
	@$(PIP) --editable ".[dev]"
	@touch $@
