"""What a sweep's folder holds on disk, and what it says: spec, journal, leaderboard, baselines."""
