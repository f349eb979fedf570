# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The work is in scripts; this file only names it and keeps what was built.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

NODES   ?= 2
PROFILE ?= atlas-800i-a2-64g
LAB     ?= lab

# Without an inventory a bundle has no images but those that ARGS names.
BUNDLE    ?= .cache/bundle
PACKAGES  ?=
INVENTORY ?= tests/tools/bundle_inventory.yml
ARGS      ?=

# What `make test` runs; `make test-all` runs every scenario.
PROTECTING := default vnpu
SCENARIOS  := $(patsubst extensions/molecule/%/molecule.yml,%,$(sort $(wildcard extensions/molecule/*/molecule.yml)))
JOBS       ?= 1
S          ?= $(PROTECTING)

# The demo counts the building of its environment too.
STARTED := $(shell date +%s.%N)

VENV := $(CURDIR)/.venv
RUN  := $(VENV)/.run-stamp
DEV  := $(VENV)/.dev-stamp

# The environment's tools first; an installed copy of this collection must never win over the checkout.
export PATH := $(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Ansible refuses to start under LC_ALL=C.
export LC_ALL := C.UTF-8
export NPUOPS_LAB = $(LAB)

.PHONY: help venv demo lab-up lab-down lab-status test test-all lint sanity unit build molecule bundle clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  The lab takes NODES=$(NODES) PROFILE=$(PROFILE) LAB=$(LAB), for example: make lab-up NODES=4 PROFILE=atlas-800i-a3"

venv: $(RUN) ## Build .venv with Ansible (newest Python of 3.13, 3.12, 3.11)
	@:

$(RUN): requirements.txt tests/tools/venv.sh
	@tests/tools/venv.sh .venv requirements.txt
	@touch $@

$(DEV): requirements-dev.txt $(RUN)
	@tests/tools/venv.sh .venv requirements-dev.txt
	@touch $@

demo: $(RUN) ## From nothing to a chat reply of a 2x8-NPU Ray cluster in the lab
	@$(VENV)/bin/python tests/tools/demo.py --lab $(LAB) --nodes $(NODES) --profile $(PROFILE) --since $(STARTED)

lab-up: $(RUN) ## Boot lab nodes
	@tests/lab/labctl engine ensure
	@tests/lab/labctl images
	@tests/lab/labctl up --lab $(LAB) --nodes $(NODES) --profile $(PROFILE)

lab-down: ## Remove every lab: nodes, networks, volumes, and a dockerd it started
	@tests/lab/labctl down --all

lab-status: ## Show what runs
	@tests/lab/labctl status

test: lint sanity unit build molecule ## Everything CI runs

test-all: test ## The same and every further scenario, JOBS=1 at a time
	@tests/tools/scenarios.sh $(JOBS) $(filter-out $(PROTECTING),$(SCENARIOS))

lint: $(DEV) ## ansible-lint (production), yamllint, ruff, shellcheck, changelog
	@tests/tools/lint.sh

sanity: $(DEV) ## ansible-test sanity on a copy at the path it insists on
	@tests/tools/sanity.sh

unit: $(DEV) ## Unit tests, and once more on the oldest Python of a node if it is here
	@tests/tools/unit.sh

build: $(RUN) ## Build the tarball, install it elsewhere, check that its playbook loads
	@tests/tools/check_build.sh

molecule: $(DEV) ## The scenarios that protect most, or those of S="…": a served model on two nodes, seven models on one
	@tests/tools/scenarios.sh $(JOBS) $(S)

bundle: $(RUN) ## Collect what a site without a network needs: BUNDLE=DIR PACKAGES=DIR INVENTORY=… ARGS=…
	@ansible-playbook -i $(INVENTORY) playbooks/bundle.yml -e bundle_dir=$(abspath $(BUNDLE)) \
	  $(if $(PACKAGES),-e ascend_packages=$(abspath $(PACKAGES))) $(ARGS)

clean: ## Remove what was built (not the lab: make lab-down)
	rm -rf .venv .venv-* .cache .ansible .hypothesis .pytest_cache .ruff_cache tests/output npuops-ascend-*.tar.gz
