"""Programs that the speed cases start as processes of their own: `python -m benchmarks.speed.NAME`."""
