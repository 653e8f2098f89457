//! The dialogue with a mail server: encrypted, logged in, every receiver by itself.
//!
//! The server's confirmation of the text is the receipt; nothing after it can make a delivery fail.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::super::attempt::{Handover, share};
use super::super::error::{SHOWN_CHARS, causes, is_tls};
use super::super::words::shown;
use super::super::{ChannelName, Fault, Hidden, SendError};
use super::limited::Limited;
use super::{Settings, Tls};

/// How long a server may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A mail server, and how to speak to it.
#[derive(Clone)]
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, Hidden)>,
    /// How we introduce ourselves: by the sender's domain, which is one. Some servers turn `localhost` away.
    hello: String,
    authorities: Vec<Certificate>,
}

/// `smtp.example:587`
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.to_string())
            .field("tls", &self.tls)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl Server {
    pub fn new(host: String, port: u16, settings: &Settings) -> Result<Self, String> {
        let pem = settings.authorities.as_deref();
        let authorities = pem.map(|pem| Certificate::from_pem(pem).map_err(|_| "holds no certificates in PEM")).transpose()?;
        let hello = super::mailbox(&settings.from).map(|from| from.email.domain().to_owned()).unwrap_or_default();
        Ok(Self {
            host,
            port,
            tls: settings.tls,
            login: settings.login.clone(),
            hello,
            authorities: authorities.into_iter().collect(),
        })
    }

    /// One attempt. Receivers that the server takes get the message even where it refuses others; the others are an error.
    pub async fn deliver(
        &self,
        from: &Mailbox,
        to: &[Mailbox],
        message: &[u8],
        handover: &Handover,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let mut connection = self.connect(timeout).await?;
        self.log_in(&mut connection).await?;
        let sender = Mail::new(Some(from.email.clone()), Vec::new());
        connection.command(sender).await.map_err(|error| self.failed(&error, "the sender"))?;
        let mut refusals = Vec::new();
        for (index, mailbox) in to.iter().enumerate() {
            if let Err(error) = connection.command(Rcpt::new(mailbox.email.clone(), Vec::new())).await {
                let whom = format!("receiver {} of {}", index + 1, to.len());
                let failed = self.failed(&error, &whom);
                if error.status().is_none() {
                    return Err(failed);
                }
                refusals.push(failed);
            }
        }
        if refusals.len() < to.len() {
            connection.command(Data).await.map_err(|error| self.failed(&error, "the message"))?;
            handover.begins();
            let taken = connection.message(message).await;
            taken.map_err(|error| self.failed(&error, "the message").perhaps_arrived(error.status().is_none()))?;
        }
        // It has the message: a server that does not answer now changes nothing.
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
        let refused = refusals.len();
        // One that may come back is tried again at once only where nobody has got the message yet.
        let worst = refusals.into_iter().max_by_key(|error| error.fault == Fault::Refused);
        match worst {
            None => Ok(()),
            Some(error) if refused == to.len() => Err(error),
            Some(error) => {
                let more = format!("{refused} of {} receivers did not get it, the others did", to.len());
                Err(error.but(Fault::Refused, &more).perhaps_arrived(true))
            }
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<AsyncSmtpConnection, SendError> {
        let hello = ClientId::Domain(self.hello.clone());
        let line = Limited::connect(&self.host, self.port, share(timeout).mul_f64(0.8)).await.map_err(|error| {
            let fault = if error.kind() == std::io::ErrorKind::TimedOut { Fault::Timeout } else { Fault::Connection };
            SendError::new(ChannelName::Email, fault, format!("the connection: {error}"))
        })?;
        let line: Box<dyn AsyncTokioStream> = match self.tls {
            Tls::Implicit => {
                let encrypted = line.encrypted(self.parameters()?).await;
                Box::new(encrypted.map_err(|error| self.failed(&error, "the connection"))?)
            }
            Tls::Starttls | Tls::None => Box::new(line),
        };
        let connected = AsyncSmtpConnection::connect_with_transport(line, &hello).await;
        let mut connection = connected.map_err(|error| self.failed(&error, "the connection"))?;
        if self.tls == Tls::Starttls {
            if !connection.can_starttls() {
                let detail = "its server offers no STARTTLS, and nothing is sent without encryption";
                return Err(SendError::new(ChannelName::Email, Fault::Tls, detail));
            }
            let upgraded = connection.starttls(self.parameters()?, &hello).await;
            upgraded.map_err(|error| self.failed(&error, "the encryption"))?;
        }
        Ok(connection)
    }

    fn parameters(&self) -> Result<TlsParameters, SendError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        for certificate in &self.authorities {
            builder = builder.add_root_certificate(certificate.clone());
        }
        builder.build().map_err(|error| SendError::new(ChannelName::Email, Fault::Tls, causes(&error)))
    }

    /// The server's words are left out: they may repeat what it was sent.
    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), SendError> {
        let Some((name, password)) = &self.login else { return Ok(()) };
        let credentials = Credentials::new(name.clone(), password.reveal().to_owned());
        let answered = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        answered.map(drop).map_err(|error| match error.status() {
            Some(code) if error.is_permanent() => {
                SendError::new(ChannelName::Email, Fault::Login, format!("its server refused name and password ({code})"))
            }
            Some(code) => SendError::new(ChannelName::Email, Fault::Deferred, format!("its server put off the login ({code})")),
            None if error.is_client() => {
                SendError::new(ChannelName::Email, Fault::Login, "its server takes neither PLAIN nor LOGIN")
            }
            None => self.failed(&error, "the login"),
        })
    }

    /// Addresses stay out of it, and the password should a server ever repeat it.
    fn failed(&self, error: &Error, what: &str) -> SendError {
        let failed = |fault, detail| SendError::new(ChannelName::Email, fault, detail);
        if let Some(code) = error.status() {
            let says = error.source().map(ToString::to_string).unwrap_or_default();
            let fault = if error.is_transient() { Fault::Deferred } else { Fault::Refused };
            return failed(fault, format!("its server refused {what} ({code}): {}", shown(&self.clean(&says), SHOWN_CHARS)));
        }
        if error.is_timeout() {
            return failed(Fault::Timeout, format!("{what}: no answer in time"));
        }
        // lettre says this of every layer that the error went through.
        let says = causes(error).replace("Connection error: ", "").replace("network error: ", "");
        let fault = if is_tls(error) { Fault::Tls } else { Fault::Connection };
        failed(fault, format!("{what}: {}", self.clean(&says)))
    }

    /// Without words that are addresses, and without the password.
    fn clean(&self, text: &str) -> String {
        let words = text.split_whitespace().map(|word| if word.contains('@') { "[address]" } else { word });
        let text = words.collect::<Vec<_>>().join(" ");
        self.login.as_ref().map_or(text.clone(), |(_, password)| password.scrub(&text))
    }
}
