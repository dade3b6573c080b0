"""`python -m bench`: what a dispatch costs, beside what any tool that clones pays, and beside a peer."""
