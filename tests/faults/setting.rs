//! What the rows have in common: a window that drifted, and a webhook that is told of it.

use crate::faulty::Faulty;
use crate::faulty::http::Fault;
use crate::message_server::{MessageServer, Received, SIGNING_SECRET};
use crate::workspace::Workspace;

use super::engine::{Bench, HOOK_SECRET, Heard};

/// A workspace whose bucket and store the text says, and one channel. Nothing is kept of what was counted, so that the rerun reads
/// everything again.
pub fn workspace(bucket_and_store: &str, channel: &str, of_channel: &str) -> Workspace {
    let workspace = Workspace::new();
    let off = ["broken-input", "no-data", "storage"].map(|signal| format!("[signals.{signal}]\nmode = \"off\"\n")).concat();
    let config = format!(
        "[job]\nname = \"test\"\n{bucket_and_store}[logs]\ntimestamp = \"ts\"\n[features]\ninclude = [\"a\", \"b\"]\n[cache]\nmax_bytes = 0\n\
         {off}[signals.data-drift]\nmode = \"notify\"\nchannels = [\"{channel}\"]\n[channels]\ntimeout = \"3s\"\n{of_channel}"
    );
    workspace.write("config.toml", config);
    workspace
}

/// A folder with the data as the bucket, and an embedded store.
pub fn in_folder(channel: &str, of_channel: &str) -> Workspace {
    let workspace =
        workspace("[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\ntimeout = \"2s\"\n", channel, of_channel);
    workspace.reference().logs(300, 0.5);
    workspace
}

pub const HOOK: &str = "[channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n";

/// The webhook of those rows that are about something else.
pub fn hook(bench: &Bench) -> MessageServer {
    bench.block_on(MessageServer::start())
}

pub fn variables(hook: &MessageServer) -> Vec<(&'static str, String)> {
    vec![("HOOK", hook.url(&format!("/hook?token={HOOK_SECRET}"))), ("SECRET", SIGNING_SECRET.to_owned())]
}

/// What a server has heard: `repeats` says of a message whether it calls itself a repetition.
pub fn heard(server: &MessageServer, repeats: impl Fn(&Received) -> bool) -> Vec<Heard> {
    server.received().iter().map(|received| Heard { repeats: repeats(received) }).collect()
}

pub fn heard_by(hook: MessageServer) -> Box<dyn Fn(&Bench) -> Vec<Heard>> {
    Box::new(move |_| heard(&hook, says_it_may_be_repeated))
}

pub fn says_it_may_be_repeated(received: &Received) -> bool {
    received.body["may_be_repeated"] == true
}

/// A redirect leads to somebody who must never be asked.
pub fn elsewhere(bench: &Bench, fault: Fault) -> (Fault, Option<Faulty>) {
    match fault {
        Fault::Redirected(_) => {
            let elsewhere = bench.block_on(Faulty::silent());
            (Fault::Redirected(format!("http://{}/taken", elsewhere.address)), Some(elsewhere))
        }
        fault => (fault, None),
    }
}
