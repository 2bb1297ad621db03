"""What is measured, and how: the figures of docs/performance.md."""
