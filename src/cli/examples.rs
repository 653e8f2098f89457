//! What `--help` teaches by example. Every example works on the fixtures, or on two files: a test runs them all.

pub const PROGRAM: &str = "Examples:\n  \
    drift-check --reference train.csv --current today.csv        compare two files\n  \
    drift-check --config config/local.toml --window 24h          the configured check\n  \
    drift-check --config prod.toml --as-of 2026-01-31T18:00:00Z  the same for an earlier moment\n  \
    drift-check profile --config prod.toml                       build the reference profile\n  \
    drift-check backtest --config prod.toml --from 2026-01-01 --to 2026-02-01  would it have fired?\n  \
    drift-check doctor --config prod.toml                        is everything set up right?\n  \
    drift-check explain --config prod.toml sphericity            why does this feature drift?\n\n\
    Exit codes: 0 ran to its end, whatever the verdict; 2 usage; 3 configuration; 4 input unusable;\n\
    5 bucket or store failed; 6 report written, but a message could not be delivered; 10 drift and\n\
    11 inconclusive, only with --fail-on; 143 stopped by SIGTERM; 1 anything else.";

pub const CHECK: &str = "Examples:\n  \
    drift-check check --reference train.csv --current today.csv  compare two files\n  \
    drift-check check --config prod.toml --dry-run -v            write and send nothing\n  \
    drift-check check --config prod.toml --format json           the report on stdout\n  \
    drift-check check --config prod.toml --fail-on drift || echo $?  10 when it drifts";

pub const PROFILE: &str = "Examples:\n  \
    drift-check profile --config prod.toml --dry-run  what the reference holds\n  \
    drift-check profile --config prod.toml            put it beside the reference\n  \
    drift-check profile --config prod.toml --output reference/v2/profile.json  elsewhere";

pub const BACKTEST: &str = "Examples:\n  \
    drift-check backtest --config prod.toml --from 2026-01-28 --to 2026-02-01 --every 6h\n  \
    drift-check backtest --config prod.toml --from 2026-01-28 --to 2026-02-01 --output page.html\n  \
    drift-check backtest --config prod.toml --from 2026-01-28 --to 2026-02-01 --inject extent:+1sd";

pub const HISTORY: &str = "Examples:\n  \
    drift-check history --config prod.toml                     runs, signals, messages, labels\n  \
    drift-check history --config prod.toml --feature sphericity  one feature over past runs\n  \
    drift-check history --config prod.toml --readiness         may a signal leave shadow?\n  \
    drift-check history --config prod.toml --format json       the same for a program\n  \
    drift-check history --config prod.toml --silence data-drift 24h --reason \"retraining\"\n  \
    drift-check history --config prod.toml --unsilence data-drift --reason \"new model is out\"";

pub const DOCTOR: &str = "Examples:\n  \
    drift-check doctor --config prod.toml                  one line a check\n  \
    drift-check doctor --config prod.toml --dry-run        without the checks that write\n  \
    drift-check doctor --config prod.toml --send-test      with a test message to every channel\n  \
    drift-check doctor --config prod.toml --format json    for a program\n\n\
    Exit codes: 0 nothing failed, warnings or not; 3 configuration or clock; 4 reference, logs or\n\
    features; 5 identity, bucket or store; 6 a channel. Where several fail: the first of 3, 5, 4, 6.";

pub const EXPLAIN: &str = "Examples:\n  \
    drift-check explain --config prod.toml sphericity  in the last run\n  \
    drift-check explain --config prod.toml sphericity --as-of 2026-02-01T00:00:00Z  in that run\n  \
    drift-check explain --config prod.toml pred_class --format markdown  a prediction, for an issue";

pub const CONFIG: &str = "Examples:\n  \
    drift-check config --config prod.toml                 what counts, and where it came from\n  \
    drift-check config --config prod.toml --format json   the same for a program\n  \
    drift-check config --schema                           the JSON Schema, for an editor";

pub const COMPLETIONS: &str = "Examples:\n  \
    drift-check completions bash > drift-check.bash  then: source drift-check.bash\n  \
    drift-check completions zsh > _drift-check       in a folder of $fpath\n  \
    drift-check completions fish > drift-check.fish  in ~/.config/fish/completions\n  \
    drift-check completions man > drift-check.1      then: man ./drift-check.1";
