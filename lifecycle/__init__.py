"""What happens to memories over time: pure policies, and the jobs that apply them. No HTTP, no SQL: ports only."""
