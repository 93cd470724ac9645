"""Pages of docs/ that show commands with their output: run as they stand, and compared with what comes out now."""
