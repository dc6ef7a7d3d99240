# The target that `sam build` calls for each function: build-WorkerFunction and so on. SAM runs it in a copy of the
# directory, so everything is found from where this file is.
LAMBDA_DIRECTORY := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
RUNTIME := $(shell sed -n 's/^ *Runtime: *//p' "$(LAMBDA_DIRECTORY)../../template.yaml" | head -n 1)

# Only Lambda's own version can compile for it; a later 3.x still builds, without bytecode. A name on PATH may be a shim
# that runs nothing, hence the trial.
BUILD_PYTHON ?= $(shell for each in $(RUNTIME) python3 python; do \
	"$$each" -c 'import tomllib' 2>/dev/null && { command -v "$$each"; break; }; done)

build-%:
	$(if $(BUILD_PYTHON),,$(error No Python 3.11 or later on PATH; $(RUNTIME) is what Lambda runs))
	@"$(BUILD_PYTHON)" -I "$(LAMBDA_DIRECTORY)artefact.py" --architecture $(ARCHITECTURE) "$(ARTIFACTS_DIR)"
