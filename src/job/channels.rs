//! The channels of a run: from their settings, and the secrets that these refer to, to what can be used. A channel that cannot be used
//! keeps none of the others from it.

use thiserror::Error;

use crate::config::{Channels, Config, EmailChannel, Secret, SecretSource};
use crate::notify::email::{self, Email};
use crate::notify::pagerduty::Pagerduty;
use crate::notify::slack::Slack;
use crate::notify::webhook::Webhook;
use crate::notify::{Address, Channel, ChannelName, Hidden, Http};

/// Why a channel cannot be used. Holds no secret: the key, where the value was looked for, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{key}`{} {what}", reference.as_ref().map(|reference| format!(" ({reference})")).unwrap_or_default())]
pub struct ChannelProblem {
    pub key: &'static str,
    /// `env:NAME`, `file:/path`, or a path.
    pub reference: Option<String>,
    pub what: String,
}

/// Every channel that is configured, each ready or with what keeps it from being so.
pub fn build(config: &Config, environment: &[(String, String)]) -> Vec<(ChannelName, Result<Channel, ChannelProblem>)> {
    let channels = &config.channels;
    let builder = Builder { channels, environment };
    let built = [
        (ChannelName::Slack, channels.slack.as_ref().map(|slack| builder.slack(&slack.webhook))),
        (ChannelName::Email, channels.email.as_ref().map(|email| builder.email(email))),
        (
            ChannelName::Pagerduty,
            channels.pagerduty.as_ref().map(|pagerduty| builder.pagerduty(&pagerduty.key, &pagerduty.endpoint)),
        ),
        (ChannelName::Webhook, channels.webhook.as_ref().map(|webhook| builder.webhook(&webhook.url, webhook.secret.as_ref()))),
    ];
    built.into_iter().filter_map(|(name, channel)| Some((name, channel?))).collect()
}

const CA_FILE: &str = "channels.ca_file";

struct Builder<'a> {
    channels: &'a Channels,
    environment: &'a [(String, String)],
}

impl Builder<'_> {
    fn slack(&self, webhook: &Secret) -> Result<Channel, ChannelProblem> {
        let address = self.address("channels.slack.webhook", webhook)?;
        Ok(Channel::Slack(Slack::new(address, webhook.to_string(), self.http()?)))
    }

    fn email(&self, email: &EmailChannel) -> Result<Channel, ChannelProblem> {
        let login = match &email.login {
            Some((name, password)) => Some((name.clone(), self.secret("channels.email.password", password)?)),
            None => None,
        };
        // Looked at by the client that also serves the other channels: what holds no certificate is found there.
        self.http()?;
        let settings = email::Settings {
            smtp: email.smtp.clone(),
            tls: email.tls,
            from: email.from.clone(),
            to: email.to.clone(),
            login,
            authorities: self.authorities()?,
            attach_report: email.attach_report,
            timeout: self.timeout(),
        };
        let email = Email::new(&settings).map_err(|what| ChannelProblem { key: "channels.email", reference: None, what })?;
        Ok(Channel::Email(Box::new(email)))
    }

    fn pagerduty(&self, key: &Secret, endpoint: &str) -> Result<Channel, ChannelProblem> {
        let hidden = self.secret("channels.pagerduty.key", key)?;
        let wrong = |what: &str| ChannelProblem { key: "channels.pagerduty.endpoint", reference: None, what: what.to_owned() };
        let endpoint = Address::parse(endpoint).map_err(wrong)?;
        Ok(Channel::Pagerduty(Pagerduty::new(hidden, key.to_string(), endpoint, self.http()?)))
    }

    fn webhook(&self, url: &Secret, secret: Option<&Secret>) -> Result<Channel, ChannelProblem> {
        let address = self.address("channels.webhook.url", url)?;
        let secret = secret.map(|secret| self.secret("channels.webhook.secret", secret)).transpose()?;
        Ok(Channel::Webhook(Webhook::new(address, url.to_string(), secret, self.http()?)))
    }

    fn timeout(&self) -> std::time::Duration {
        self.channels.timeout.delta().to_std().unwrap_or_default()
    }

    fn http(&self) -> Result<Http, ChannelProblem> {
        let wrong = |what| ChannelProblem { key: CA_FILE, reference: self.channels.ca_file.clone(), what };
        Http::new(self.timeout(), self.authorities()?.as_deref()).map_err(wrong)
    }

    fn authorities(&self) -> Result<Option<Vec<u8>>, ChannelProblem> {
        let Some(path) = &self.channels.ca_file else { return Ok(None) };
        let unreadable = |error: std::io::Error| ChannelProblem {
            key: CA_FILE,
            reference: Some(path.clone()),
            what: format!("cannot be read: {error}"),
        };
        std::fs::read(path).map(Some).map_err(unreadable)
    }

    fn address(&self, key: &'static str, secret: &Secret) -> Result<Address, ChannelProblem> {
        let (text, problem) = text_of(self.environment, key, secret)?;
        Address::parse(&text).map_err(problem)
    }

    fn secret(&self, key: &'static str, secret: &Secret) -> Result<Hidden, ChannelProblem> {
        Ok(Hidden::new(text_of(self.environment, key, secret)?.0))
    }
}

/// The value that a reference leads to, without the line break that editors and `echo` leave at its end; and how to say what is wrong
/// with it.
pub fn text_of(
    environment: &[(String, String)],
    key: &'static str,
    secret: &Secret,
) -> Result<(String, impl Fn(&str) -> ChannelProblem + use<>), ChannelProblem> {
    let reference = secret.to_string();
    let problem = move |what: &str| ChannelProblem { key, reference: Some(reference.clone()), what: what.to_owned() };
    let text = match secret.source() {
        SecretSource::Environment(name) => {
            let found = environment.iter().find(|(variable, _)| variable == name);
            found.map(|(_, value)| value.clone()).ok_or_else(|| problem("is not set, or not UTF-8"))?
        }
        SecretSource::File(path) => {
            let bytes = std::fs::read(path).map_err(|error| problem(&format!("cannot be read: {}", error.kind())))?;
            String::from_utf8(bytes).map_err(|_| problem("is not UTF-8"))?
        }
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.trim().is_empty() {
        return Err(problem("is empty"));
    }
    Ok((text, problem))
}
