"""HTTP in and out; decides nothing."""
