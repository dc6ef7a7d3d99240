# The target that `sam build` calls for each function: build-WorkerFunction and so on. SAM runs it in a copy of the
# directory, so everything is found from where this file is.
LAMBDA_DIRECTORY := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
RUNTIME := $(shell sed -n 's/^ *Runtime: *//p' "$(LAMBDA_DIRECTORY)../../template.yaml" | head -n 1)

# Only Lambda's own version compiles for it. A name on PATH may be a shim that runs nothing, hence the trial.
IS_RUNTIME := import sys; sys.exit("python%d.%d" % sys.version_info[:2] != "$(RUNTIME)")
BUILD_PYTHON ?= $(shell for each in $(RUNTIME) python3 python; do \
	"$$each" -c '$(IS_RUNTIME)' 2>/dev/null && { command -v "$$each"; break; }; done)

build-%:
	$(if $(BUILD_PYTHON),,$(error There is no $(RUNTIME) on PATH: put it there, or name it in BUILD_PYTHON))
	@"$(BUILD_PYTHON)" -I "$(LAMBDA_DIRECTORY)artefact.py" --architecture $(ARCHITECTURE) "$(ARTIFACTS_DIR)"
