# Everything stays inside the clone: a .venv, and build/ for what the lab and the benchmark write.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ANSIBLE := build/ansible

.PHONY: help setup ansible lab lab-estate lab-fleet test lint types imports pytest soak bench docs clean

help:
	@echo "make lab    set up, then bring two simulated Hyper-V hosts to the wanted state"
	@echo "make lab-estate  set up, then a cluster, replicas at three sites and a move from 2012 to 2012 R2, simulated"
	@echo "make lab-fleet  set up, then a Monday morning with 300 simulated hosts, with pages to look at"
	@echo "make test   set up, then pass every check"
	@echo "make soak   every fault, 200 kills, random faults, reboots, 20,000 configurations: an hour or so"
	@echo "make ansible  an environment with ansible-core: with HVCTL_ANSIBLE=$(ANSIBLE)/bin tests compare the inventory with it"
	@echo "make bench  what a plan costs, beside the same job done naively"
	@echo "make docs   write the generated documentation anew"

setup: .venv/.ready

.venv/.ready: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# Of its own: what Ansible needs is nothing to hvctl.
ansible: $(ANSIBLE)/.ready

$(ANSIBLE)/.ready: tests/ansible/requirements.txt
	$(PYTHON) -m venv $(ANSIBLE)
	$(ANSIBLE)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r tests/ansible/requirements.txt
	@touch $@

lab: setup
	@$(BIN)/python -m mocks run -- sh playbooks/lab.sh

lab-estate: setup
	@$(BIN)/python -m mocks run --speed 6000 --hosts mocks/estates/cluster -- sh playbooks/cluster.sh
	@$(BIN)/python -m mocks run --speed 6000 --hosts mocks/estates/rolling -- sh playbooks/rolling.sh
	@$(BIN)/python -m mocks run --speed 6000 --hosts mocks/estates/replica -- sh playbooks/replica.sh
	@$(BIN)/python -m mocks run --speed 6000 --hosts mocks/estates/moves -- sh playbooks/moves.sh

lab-fleet: setup
	@$(BIN)/python -m mocks fleet build/fleet
	@$(BIN)/python -m mocks run --speed 6000 --hosts build/fleet -- sh playbooks/fleet.sh

test: lint types imports pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

pytest: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered --cov-fail-under=95

soak: setup
	HVCTL_SOAK=1 $(BIN)/python -m pytest -n 2 --dist loadgroup tests/faults tests/soak tests/signals tests/ansible tests/by_hand tests/estates tests/everyday tests/importing tests/test_cases.py tests/test_held_back.py tests/test_output.py tests/test_planfile.py

bench: setup
	@$(BIN)/python -m mocks bench

docs: setup
	$(BIN)/python -m scripts.make_docs

clean:
	rm -rf .venv build *.egg-info
