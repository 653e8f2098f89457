"""The performance bars of drift-check, measured against its peers: `benches/run` prints the table and writes docs/performance.md.

One idea a file: `plan` says what is measured, `workload` which data sets there are and `data` makes them, `measure` runs commands in
turn, `drift_check` and `environments` say how drift-check and its peers are called, `scenarios` turn measurements into rows, `table`
renders them, `machine` says where. `peers` are scripts of their own: nothing here imports them.

Only `data` and the peers import anything outside Python's standard library. That is not taste: the peak memory of a child process is
counted from that of the process that starts it, so the one that measures has to stay small.
"""
