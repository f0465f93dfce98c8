# Parley. `make` alone prints what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo up down logs status build test test-unit test-integration test-e2e bench lint fmt generate tidy verify clean

.NOTPARALLEL:

include hack/tools.mk

# How many orders `make demo` places.
ORDERS ?= 1000
# How many packages are tested at once. More than this starves the tests that measure time on a small machine.
TEST_PARALLEL ?= 2
# What the tests of one package may take.
TEST_TIMEOUT ?= 15m

# The end-to-end tests start servers of their own and come last, alone on the machine.
E2E := ./services/e2e
PACKAGES = $(shell go list ./... | grep -vx 'parley.sh/services/e2e')

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "; print "make TARGET"} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run on one machine

demo: local ## Put ORDERS=1000 orders through the platform from an empty start, prove that none was lost, stop
	bin/local demo --orders $(ORDERS)

up: local ## Start the platform and keep it running; ports and settings: bin/local help
	bin/local up

down: local ## Stop what `make up` started
	@bin/local down

logs: local ## Follow the logs of everything that runs
	@bin/local logs

status: local ## Say what runs and where
	@bin/local status

##@ Build and test

build: ## Build all programs into bin/
	go build -o bin/ ./services/order ./services/inventory ./services/payment ./services/shipping \
		./services/topology ./hack/local ./hack/sim ./hack/load ./hack/audit

test: test-integration test-e2e ## Test everything with the race detector, on servers that it starts and stops

test-unit: ## Test what needs no servers; takes seconds
	env -u KAFKA_BROKERS -u AMQP_URL -u DATABASE_URL -u REQUIRE_BROKERS go test -short ./...

test-integration: local ## Test every package but the end-to-end tests, with servers and the race detector
	bin/local test -- go test -race -count=1 -p $(TEST_PARALLEL) -timeout $(TEST_TIMEOUT) $(PACKAGES)

test-e2e: ## Test the whole platform while its processes are killed
	REQUIRE_BROKERS=1 go test -race -count=1 -timeout 30m $(E2E)

bench: local ## Measure against plain libraries, with real servers; prints a table
	bin/local test --full-jit -- go run ./hack/bench

##@ Keep in order

lint: $(GOLANGCI_LINT) ## Check style and layering
	$(GOLANGCI_LINT) run

fmt: $(GOLANGCI_LINT) ## Format all Go files
	$(GOLANGCI_LINT) fmt

generate: $(OAPI_CODEGEN) ## Write again what is generated: API code, schemas, config.md
	PATH="$(CURDIR)/bin:$$PATH" go generate ./...

tidy: ## Bring go.mod and go.sum in order
	go mod tidy

verify: lint ## Fail when what is generated, go.mod or the style is not in order
	hack/verify

clean: down ## Remove programs and the state of all runs; downloads stay in ~/.cache/parley
	rm -rf bin .local

.PHONY: local
local:
	@go build -buildvcs=false -o bin/ ./hack/local
