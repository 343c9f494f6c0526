# Slipway: what a person types. The work is in setup/ and xtask/; each script there says what it does.
# Build output lies outside the checkout, so that it is shared by checkouts and survives their removal.
CARGO_TARGET_DIR ?= $(HOME)/.cache/slipway/target
export CARGO_TARGET_DIR

.DEFAULT_GOAL := help
.PHONY: help demo stop clean-demo setup build test

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Start Slipway on this machine and deploy the example apps; leaves it running
	@setup/demo.sh

stop: ## End what `make demo` started; its data stays
	@setup/stop.sh

clean-demo: ## End it, and remove its data, containers and images
	@setup/stop.sh --remove-data

setup: ## Obtain what a bare machine lacks: Docker, base images, Traefik, the wasm target, PostgreSQL
	@setup/all.sh

build: ## Build the workspace, and lay out an installation in dist/
	cargo build --workspace
	cargo xtask dist

test: ## Everything that must hold before a change is kept
	@setup/test.sh
