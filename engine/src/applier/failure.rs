//! The error that ended the applier, told to everybody who asks.

use tokio::sync::watch;

use crate::Error;

/// Heard by any number of listeners.
#[derive(Clone, Debug)]
pub(super) struct Failure(watch::Receiver<Option<Told>>);

/// An error in a form that can be told more than once.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Answer(crate::ServerError),
    Again(String),
    Unknown(String),
    Other(String),
}

impl From<Error> for Told {
    fn from(error: Error) -> Self {
        match error {
            Error::Answer(server) => Self::Answer(server),
            Error::Transient(error) => Self::Again(error.to_string()),
            Error::OutcomeUnknown(text) => Self::Unknown(text),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<Told> for Error {
    fn from(told: Told) -> Self {
        match told {
            Told::Answer(server) => Self::Answer(server),
            Told::Again(text) => Self::Transient(mysql_async::Error::Other(text.into())),
            Told::Unknown(text) => Self::OutcomeUnknown(text),
            Told::Other(text) => Self::Fatal(text),
        }
    }
}

impl Failure {
    pub(super) fn new(told: watch::Receiver<Option<Told>>) -> Self {
        Self(told)
    }

    /// Returns when the applier has failed, or was stopped.
    pub(super) async fn wait(&self) -> Error {
        let mut told = self.0.clone();
        let told = told.wait_for(Option::is_some).await;
        match told.ok().and_then(|told| told.clone()) {
            Some(told) => told.into(),
            None => Error::fatal("the applier has been stopped"),
        }
    }
}
