# What the README and the docs name, in short. PYTEST=... names another pytest.
PYTEST = .venv/bin/pytest

.PHONY: check faults matrix table lab lab-check lab-networks lab-table lab-list lab-down lab-clean lab-enter lab-start lab-stop lab-reboot \
	lab-cut lab-plug lab-unplug

# The tests, as the README has them: of the faults a fixed sample.
check:
	$(PYTEST) -q -n 4 --dist worksteal -m 'not lab'

# Every point of every fault: hours.
faults:
	PVEGEN_EVERY=1 $(PYTEST) -q -n 4 tests/faults

# Every target by clusters of one, two and three nodes in dash, bash and busybox: a third of them is in each run of the tests.
matrix:
	PVEGEN_EVERY=1 $(PYTEST) -q -n 2 tests/scripts/test_matrix.py

# The table of docs/safety.md, written anew.
table:
	$(PYTEST) -q -n 4 --renew tests/faults

# Real nodes: make lab [FILE=examples/depot.toml] brings them up and says how to enter them (docs/lab.md).
LAB = PYTHONPATH=tests:. $(dir $(PYTEST))python -m lab
lab:
	$(LAB) up $(FILE)
lab-list lab-down lab-clean:
	$(LAB) $(@:lab-%=%)
lab-start lab-stop lab-reboot lab-cut:
	$(LAB) $(@:lab-%=%) $(NODE)
lab-plug lab-unplug:
	$(LAB) $(@:lab-%=%) $(NODE) $(NIC)
lab-enter:
	@$(LAB) enter $(NODE)

# All scenarios of the lab; the table of what came of each is printed at the end.
lab-check:
	$(PYTEST) -q -n 3 --dist loadgroup -m lab

# Every network and cluster of the virtual machine (docs/lab-vm.md): hours.
lab-networks:
	PVEGEN_EVERY=1 $(PYTEST) -q tests/lab/inside

# All scenarios, and the table goes into docs/lab.md.
lab-table:
	$(PYTEST) -q -n 3 --dist loadgroup -m lab --renew
