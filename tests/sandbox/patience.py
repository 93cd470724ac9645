"""How long things may take."""

import os

PATIENCE = 8 if "PVEGEN_IN_VM" in os.environ else 1
"""How much longer all may take in an emulated machine, on a host that is busy."""

LONGEST = PATIENCE * (4 if "CI" in os.environ else 1)
"""How much longer a limit is that only what hangs would reach: CI runs more at once than there are processors."""
