"""What arq reads. An arq job only wakes: executions run in the process's own runner.

`arq workers.settings.WorkerSettings` starts a worker; so does `promptpilot worker`, which drains
more gently.
"""
