"""How long a test waits."""

# Against hanging only: a busy machine may take its time over anything. How fast the product is, is
# measured by scripts/bench.sh.
DEADLINE_SECONDS = 120.0
