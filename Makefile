# What the README and the docs name, in short. PYTEST=... names another pytest.
PYTEST = .venv/bin/pytest

.PHONY: check faults table

# The tests, as the README has them: of the faults a fixed sample.
check:
	$(PYTEST) -q -n 4

# Every point of every fault: hours.
faults:
	PVEGEN_EVERY=1 $(PYTEST) -q -n 4 tests/faults

# The table of docs/safety.md, written anew.
table:
	$(PYTEST) -q -n 4 --renew tests/faults
