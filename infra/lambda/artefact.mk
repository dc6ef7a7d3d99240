# The target that `sam build` calls for each function: build-WorkerFunction and so on. SAM runs it in a copy of the
# directory, so everything is found from where this file is.
LAMBDA_DIRECTORY := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
# Only Lambda's own version can compile for it; another one still builds, without bytecode.
BUILD_PYTHON ?= $(firstword $(shell command -v python3.13 || command -v python3 || command -v python))

build-%:
	@"$(BUILD_PYTHON)" -I "$(LAMBDA_DIRECTORY)artefact.py" --architecture $(ARCHITECTURE) "$(ARTIFACTS_DIR)"
