# Every command of the project. `make help` lists them.
# `make up` needs root, Go and a Debian machine; everything else it installs and builds itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash -o pipefail
.SHELLFLAGS := -ec

export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED := 0
CACHE := $(or $(AGENTSTACK_CACHE),/var/cache/agentstack)
# Tests find the programs of the toolchain here.
export AGENTSTACK_TOOLS := $(CACHE)/test-tools

.PHONY: help up down status reset preview policy deps test test-program test-app test-local test-race test-acme e2e rollout chaos check golden deploy reference bench-program bench-app

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

up: ## make the local cloud and run the program on it; resumes after a kill
	@bin/localcloud up

down: ## stop the local cloud; volumes and objects stay
	@bin/localcloud down

status: ## show processes, nodes and pods
	@bin/localcloud status

reset: ## delete the local cloud with its volumes, after asking
	@bin/localcloud reset $(if $(YES),--yes)

preview: ## preview a stack offline, with AWS simulated: STACK=local, staging or production
	@bin/localcloud preview $(or $(STACK),$(error give STACK=local, STACK=staging or STACK=production))

policy: ## judge the previews of all stacks by the policy pack
	@refused=; for stack in local staging production; do \
		bin/localcloud preview $$stack --policy-pack || refused="$$refused $$stack"; \
	done; if [ -n "$$refused" ]; then echo "policy: refused:$$refused" >&2; exit 1; fi

deps: ## install the Debian packages and build the programs that the tests need
	@bin/localcloud deps
	@bin/localcloud tools $(AGENTSTACK_TOOLS) etcd kube-apiserver kube-controller-manager kubectl registry pulumi pulumi-language-go \
		prometheus promtool alertmanager amtool kube-state-metrics loki otelcol-contrib versitygw postgresql kube-score cosign

test: deps ## all tests but the end-to-end ones
	@$(MAKE) --no-print-directory -j3 --output-sync=target test-program test-app test-local

# Side by side: most of the time they wait for real servers to fail over. On a busy machine that is long.
test-program:
	go test -count 1 -timeout 30m ./...
test-app:
	cd app && go test -count 1 -timeout 30m ./...
test-local:
	cd local && go test -count 1 -timeout 30m ./...

test-race: deps ## what runs concurrently in the API, under the race detector
	cd app && CGO_ENABLED=1 go test -race -count 1 ./account ./agent ./knowledge ./internal/http ./internal/llm ./internal/token

test-acme: deps ## give what the program registers for Let's Encrypt to a real cert-manager
	cd tests/acme && go test -count 1 -timeout 15m -v .

e2e: ## deploy to a local cloud of its own, break it in every way, destroy it
	@bin/localcloud deps
	AGENTSTACK_INSTANCE=e2e go test ./tests/e2e -tags e2e -count 1 -timeout 75m -v -run TestLocalCloud

rollout: ## change everything about the API on a local cloud of its own, under load, and measure
	@bin/localcloud deps
	AGENTSTACK_INSTANCE=rollout go test ./tests/e2e -tags e2e -count 1 -timeout 2h -v -run TestRollout

chaos: ## break a local cloud of its own under writes, and measure: CHAOS_RUNS=3, CHAOS_FAULTS=regular expression
	@bin/localcloud deps
	AGENTSTACK_INSTANCE=chaos go test ./tests/chaos -tags e2e -count 1 -timeout 4h -v $(if $(CHAOS_FAULTS),-run 'TestChaos/$(CHAOS_FAULTS)')
	AGENTSTACK_INSTANCE=chaos bin/localcloud reset --yes

check: deps ## what CI checks before the tests: format, lint, import rules, shell scripts
	@.ci/check

golden: ## write the golden files anew
	go test ./components/... ./stacks/... ./internal/... ./policy -update

deploy: ## update a stack in the cloud with your own Pulumi, under the policies: STACK=staging or STACK=production
	pulumi up --stack $(or $(STACK),$(error give STACK=staging or STACK=production)) --policy-pack policy --yes --non-interactive

reference: ## print the configuration reference
	@go run ./internal/reference

bench-program: ## measure previews of 1, 2, 5 and 10 regions beside a flat program
	go run ./tests/bench

bench-app: deps ## measure the API beside a bare reverse proxy, and its streams
	cd app && go test -tags bench,grpcnotrace -count 1 -timeout 30m -v ./bench
