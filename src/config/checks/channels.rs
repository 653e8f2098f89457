//! What can be known of a channel before it is used: that it is complete, that addresses are addresses, that nothing goes out
//! unencrypted.

use super::super::layer::Layers;
use super::super::problem::Origin;
use super::super::value::{Value, shown};
use super::super::{Config, EmailChannel};
use super::{latest_origin, list, sound, text};
use crate::notify::email::{Tls, host_and_port, is_mailbox};
use crate::notify::{is_loopback, is_secure};

/// Adds every problem with the channels.
pub(super) fn check(layers: &mut Layers, config: &Config) {
    complete(layers);
    receivers(layers);
    if let Some(email) = &config.channels.email {
        server(layers, email);
    }
    let endpoint = "channels.pagerduty.endpoint";
    if sound(layers, &[endpoint]) && !is_secure(text(layers, endpoint)) {
        let origin = latest_origin(layers, &[endpoint]);
        layers.problem(origin, endpoint, "is not encrypted, and the key is sent there", "write \"https://HOST/v2/enqueue\"");
    }
}

/// A channel is complete or absent.
fn complete(layers: &mut Layers) {
    let mut require = |key: &str, when: &[&str]| {
        let is_set = |key: &str| match layers.entries.get(key).map(|entry| &entry.value) {
            Some(Value::Text(text)) => !text.is_empty(),
            Some(Value::List(items)) => !items.is_empty(),
            _ => false,
        };
        let Some(cause) = when.iter().find(|cause| is_set(cause)) else { return };
        if !is_set(key) && sound(layers, &[key]) {
            let origin = latest_origin(layers, &[cause, key]);
            layers.problem(origin, key, format!("is not set, and `{cause}` needs it"), format!("set it, or remove `{cause}`"));
        }
    };
    require("channels.email.smtp", &["channels.email.from", "channels.email.to", "channels.email.username"]);
    require("channels.email.from", &["channels.email.smtp"]);
    require("channels.email.to", &["channels.email.smtp"]);
    require("channels.email.password", &["channels.email.username"]);
    require("channels.email.username", &["channels.email.password"]);
    require("channels.webhook.url", &["channels.webhook.secret"]);
}

/// Addresses are not repeated: they are of people.
fn receivers(layers: &mut Layers) {
    let hint = "write \"NAME@DOMAIN\" or \"Name <NAME@DOMAIN>\", in ASCII";
    let (from, to) = ("channels.email.from", "channels.email.to");
    let sender = text(layers, from);
    if sound(layers, &[from]) && !sender.is_empty() && !is_mailbox(sender) {
        layers.problem(latest_origin(layers, &[from]), from, "is not an email address", hint);
    }
    for (index, receiver) in list(layers, to).iter().enumerate() {
        if sound(layers, &[to]) && !is_mailbox(receiver) {
            let origin = layers.entries.get(to).map_or(Origin::Default, |entry| entry.item_origin(index));
            layers.problem(origin, to, format!("item {} is not an email address", index + 1), hint);
        }
    }
}

fn server(layers: &mut Layers, email: &EmailChannel) {
    let (smtp, tls) = ("channels.email.smtp", "channels.email.tls");
    if !sound(layers, &[smtp]) {
        return;
    }
    let Some((host, _)) = host_and_port(&email.smtp) else {
        let message = format!("{} is not a host with a port", shown(&email.smtp));
        layers.problem(latest_origin(layers, &[smtp]), smtp, message, "write \"HOST\", \"HOST:PORT\" or \"[IPV6]:PORT\"");
        return;
    };
    if email.tls == Tls::None && !is_loopback(&host) && sound(layers, &[tls]) {
        let origin = latest_origin(layers, &[smtp, tls]);
        let message = format!("\"none\" is for a server on this machine, and {} is another", shown(&host));
        layers.problem(origin, tls, message, "write \"starttls\" or \"implicit\"");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::problems;

    #[test]
    fn a_channel_is_complete_or_absent() {
        assert_eq!(problems("channels.email.smtp = \"localhost:25\"\n").len(), 2);
        assert_eq!(problems("channels.email.to = [\"a@b.example\"]\n").len(), 1);
        assert_eq!(problems("channels.webhook.secret = \"env:S\"\n").len(), 1);
    }

    #[test]
    fn an_address_that_nobody_has_is_found_before_it_is_needed() {
        let text = "[channels.email]\nsmtp = \"mail.example:25x\"\nfrom = \"drift\"\nto = [\n\"a@b.example\",\n\"c@d@e\",\n]\n";
        let hint = "write \"NAME@DOMAIN\" or \"Name <NAME@DOMAIN>\", in ASCII";
        assert_eq!(
            problems(text),
            [
                "x.toml:2: channels.email.smtp: `mail.example:25x` is not a host with a port; \
                 write \"HOST\", \"HOST:PORT\" or \"[IPV6]:PORT\""
                    .to_owned(),
                format!("x.toml:3: channels.email.from: is not an email address; {hint}"),
                format!("x.toml:6: channels.email.to: item 2 is not an email address; {hint}"),
            ]
        );
    }

    #[test]
    fn nothing_leaves_this_machine_unencrypted() {
        let email = |smtp: &str| {
            format!("[channels.email]\nsmtp = \"{smtp}\"\ntls = \"none\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n")
        };
        for fine in ["localhost", "127.0.0.1:2525", "[::1]:25"] {
            assert_eq!(problems(&email(fine)), [""; 0]);
        }
        assert_eq!(
            problems(&email("mail.example")),
            ["x.toml:3: channels.email.tls: \"none\" is for a server on this machine, and `mail.example` is another; \
              write \"starttls\" or \"implicit\""]
        );
        let endpoint = |url: &str| problems(&format!("channels.pagerduty.endpoint = \"{url}\"\n"));
        assert_eq!(endpoint("http://127.0.0.1:1/v2/enqueue"), [""; 0]);
        assert_eq!(endpoint("http://events.eu.pagerduty.com/v2/enqueue").len(), 1);
    }
}
