//! Why log records do not get through: what was wrong, with whom, under which code, and whether waiting may help.

use std::fmt;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_crypto::tls::ConnectionError;

/// Why records do not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The connection to the log server.
    Server(ConnectionError),
    /// The log service did not answer, or not to the end.
    Unanswered,
    /// It has no time now; perhaps it says for how long.
    Later(Option<Duration>),
    /// It does not let us write.
    Denied,
    /// It does not want what was sent.
    Refused,
    /// The connection to IAM.
    Iam(ConnectionError),
    /// IAM has no time now; perhaps it says for how long.
    IamLater(Option<Duration>),
    /// IAM does not take the API key.
    IamDenied,
    /// IAM answers something else than a token.
    IamAnswer,
}

impl Trouble {
    /// The message code where a boot ends for it.
    pub fn code(&self) -> Code {
        match self {
            Trouble::Server(error) => match error {
                ConnectionError::NameResolution => Code::NetworkFailed,
                ConnectionError::Unreachable => Code::LogServerUnreachable,
                ConnectionError::Untrusted => Code::LogServerUntrusted,
                ConnectionError::NameMismatch => Code::LogServerName,
                ConnectionError::NotValidNow => Code::LogServerDates,
                ConnectionError::Weak => Code::LogServerWeak,
                ConnectionError::ClientRefused | ConnectionError::ClientUnnamed | ConnectionError::HungUp => {
                    Code::LogClientRefused
                }
                ConnectionError::ClientFiles => Code::LogClientUnusable,
                ConnectionError::Protocol | ConnectionError::Silent => Code::LogServerProtocol,
            },
            Trouble::Unanswered | Trouble::Later(_) => Code::LogIngestionBusy,
            Trouble::Denied => Code::LogIngestionDenied,
            Trouble::Refused => Code::LogIngestionRefused,
            Trouble::Iam(error) => match error {
                ConnectionError::NameResolution
                | ConnectionError::Unreachable
                | ConnectionError::HungUp
                | ConnectionError::Silent => Code::LogTokenUnavailable,
                _ => Code::LogTokenUntrusted,
            },
            Trouble::IamLater(_) => Code::LogTokenUnavailable,
            Trouble::IamDenied => Code::LogTokenRefused,
            Trouble::IamAnswer => Code::LogTokenUntrusted,
        }
    }

    /// Whether the same may go well a little later. A server that is not there may be starting; one that is there and
    /// says no will say no again.
    pub fn passes(&self) -> bool {
        match self {
            Trouble::Server(error) => {
                matches!(error, ConnectionError::Unreachable | ConnectionError::NameResolution)
            }
            Trouble::Unanswered | Trouble::Later(_) | Trouble::IamLater(_) => true,
            Trouble::Iam(_) => self.code() == Code::LogTokenUnavailable,
            Trouble::Denied | Trouble::Refused | Trouble::IamDenied | Trouble::IamAnswer => false,
        }
    }

    /// How long whoever has no time wants to be left alone.
    pub fn wanted_pause(&self) -> Duration {
        match self {
            Trouble::Later(pause) | Trouble::IamLater(pause) => pause.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Trouble {
        Trouble::Server(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Trouble::Server(error) => return error.fmt(out),
            Trouble::Unanswered => "expected the log service to answer in time",
            Trouble::Later(_) => "expected the log service to take records now",
            Trouble::Denied => "expected the log service to let the api key in the contract write records",
            Trouble::Refused => "expected the log service to take the records",
            Trouble::Iam(error) => match error {
                ConnectionError::NameResolution => "expected iam's host name to resolve",
                ConnectionError::Unreachable => "expected iam to accept a connection",
                ConnectionError::HungUp | ConnectionError::Silent => "expected iam to answer in time",
                ConnectionError::Untrusted => "expected a certificate of iam issued by an accepted authority",
                ConnectionError::NameMismatch => "expected a certificate of iam with its host name",
                ConnectionError::NotValidNow => "expected a certificate of iam that is valid now",
                ConnectionError::Weak => "expected a certificate of iam signed with sha-256 or stronger",
                ConnectionError::ClientRefused
                | ConnectionError::ClientUnnamed
                | ConnectionError::ClientFiles
                | ConnectionError::Protocol => "expected a tls 1.2 or newer conversation with iam",
            },
            Trouble::IamLater(_) => "expected iam to give a token now",
            Trouble::IamDenied => "expected iam to give a token for the api key in the contract",
            Trouble::IamAnswer => "expected a token in iam's answer",
        })
    }
}
