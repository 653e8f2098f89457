//! Programs of somebody else that run beside the tests, under a watchdog that reads from a pipe. The other end is in this process and nowhere else, so
//! that the program is stopped when this process ends, however it ends: a failed test, a panic, a kill.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Stops its process group, which holds nothing but the program with what that starts, and itself.
const WATCHDOG: &str = r#"
"$@" </dev/null & program=$!
cat >/dev/null
trap '' TERM
kill -TERM 0
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$program" 2>/dev/null || exit 0; sleep 0.5; done
kill -KILL 0
"#;

/// Starts the program; what it prints goes to the file. The watchdog holds the pipe, and is never waited for.
pub fn start(program: &Path, arguments: &[String], environment: &[(&str, &str)], log: &Path) -> Child {
    let output = File::create(log).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG, "sh"]).arg(program).args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output).process_group(0).spawn().unwrap()
}
