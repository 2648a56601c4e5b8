//! What two sides agree on in the opening handshake: RFC 7692 §5 and §7.1.
//!
//! A client writes its [`offer`]. A server reads the offers with [`parse_offers`], takes the first
//! that it can, and [`answer`]s. The client checks the answer with [`accept`].

use http::HeaderValue;

use super::pool::Setting;
use crate::handshake::extensions::{self, Extension, Malformed};

/// The name of the extension in `Sec-WebSocket-Extensions` (RFC 7692 §7).
const NAME: &str = "permessage-deflate";
const SERVER_FRESH: &str = "server_no_context_takeover";
const CLIENT_FRESH: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// What this side would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether to compress at all, if the peer does too.
    pub enabled: bool,
    /// How hard to try, 0 to 9. 1 is best for messages of a few kilobytes.
    pub level: u8,
    /// Memory of a compressor, 1 to 9. 8 and a window of 15 bits take about 370 KiB.
    pub mem_level: u8,
    /// The server forgets its window after each message, so that a connection holds no compressor
    /// (RFC 7692 §7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client forgets its window after each message, so that a connection to the server holds
    /// no inflater (RFC 7692 §7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The window that the server compresses with, 9 to 15 bits (RFC 7692 §7.1.2.1).
    pub server_max_window_bits: u8,
    /// The window that the client compresses with, 9 to 15 bits (RFC 7692 §7.1.2.2).
    pub client_max_window_bits: u8,
    /// Shorter messages, in bytes, go uncompressed.
    pub min_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            level: 1,
            mem_level: 8,
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
            min_size: 128,
        }
    }
}

impl Settings {
    fn server_bits(&self) -> u8 {
        self.server_max_window_bits.clamp(9, 15)
    }

    fn client_bits(&self) -> u8 {
        self.client_max_window_bits.clamp(9, 15)
    }

    fn agreement(&self) -> Agreement {
        Agreement {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
            level: self.level,
            mem_level: self.mem_level,
            min_size: self.min_size,
        }
    }
}

/// What both sides agreed on, and how hard this side tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// The server forgets its window after each message.
    pub server_no_context_takeover: bool,
    /// The client forgets its window after each message.
    pub client_no_context_takeover: bool,
    /// The server's window, 9 to 15 bits.
    pub server_max_window_bits: u8,
    /// The client's window, 8 to 15 bits.
    pub client_max_window_bits: u8,
    /// Level of this side's compressor.
    pub level: u8,
    /// Memory level of this side's compressor.
    pub mem_level: u8,
    /// Shorter messages, in bytes, go uncompressed.
    pub min_size: u32,
}

/// The parameters of one offer or answer, each known, given once and with a fitting value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<ClientBits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientBits {
    /// The parameter without a value: the client can limit its window.
    Any,
    Most(u8),
}

/// What is wrong with the parameters of an offer or an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// Not one of the four of RFC 7692 §7.1.
    #[error("unknown parameter {0:?}")]
    Unknown(String),
    /// Given twice.
    #[error("parameter {0} is repeated")]
    Repeated(&'static str),
    /// A value that is missing, not wanted, or out of range.
    #[error("parameter {0} has a wrong value")]
    Value(&'static str),
}

/// Why a client does not take the server's answer. The connection must be failed (RFC 7692 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The header does not have the form of RFC 6455 §9.1.
    #[error("Sec-WebSocket-Extensions: {0}")]
    Malformed(#[from] Malformed),
    /// An extension that was not offered.
    #[error("the server picked the extension {0:?}, which was not offered")]
    Unasked(String),
    /// `permessage-deflate` is in the answer twice.
    #[error("the server picked permessage-deflate twice")]
    Twice,
    /// A parameter that cannot be understood.
    #[error("permessage-deflate: {0}")]
    Param(#[from] ParamError),
    /// A parameter that the offer asked for is missing or too large.
    #[error("the server did not agree to {0} as offered")]
    Ignored(&'static str),
    /// A parameter that only an offer allows.
    #[error("the server asked for {0}, which was not offered")]
    UnaskedParam(&'static str),
}

/// Reads the offers of a client from its `Sec-WebSocket-Extensions` headers, in order. Other
/// extensions, and offers with parameters that are unknown, repeated or wrong, are left out: they
/// are declined (RFC 7692 §7). A header that is not a list of extensions is an error.
pub fn parse_offers<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Vec<Params>, Malformed> {
    let mut offers = Vec::new();
    extensions::parse(headers, |extension| {
        if extension.name == NAME {
            offers.extend(parse_params(&extension));
        }
    })?;
    Ok(offers)
}

/// Answers the first offer that can be taken (RFC 7692 §5.1), with the value of the response's
/// `Sec-WebSocket-Extensions`. `None` when compression is off or no offer fits.
pub fn answer(offers: &[Params], settings: &Settings) -> Option<(Agreement, HeaderValue)> {
    if !settings.enabled {
        return None;
    }
    offers.iter().find_map(|&offer| answer_one(offer, settings))
}

fn answer_one(offer: Params, settings: &Settings) -> Option<(Agreement, HeaderValue)> {
    let server_bits = settings.server_bits().min(offer.server_max_window_bits.unwrap_or(15));
    // A window of 8 bits cannot be written. RFC 7692 §7.1.2.1: a server "may decline".
    Setting::new(settings.level, server_bits, settings.mem_level)?;
    // RFC 7692 §7.1.2.2: without the parameter in the offer, the client cannot be asked.
    let client_bits = match offer.client_max_window_bits {
        None => 15,
        Some(ClientBits::Any) => settings.client_bits(),
        Some(ClientBits::Most(bits)) => bits.min(settings.client_bits()),
    };
    let agreement = Agreement {
        server_no_context_takeover: offer.server_no_context_takeover
            || settings.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover
            || settings.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
        ..settings.agreement()
    };
    let params = Params {
        server_no_context_takeover: agreement.server_no_context_takeover,
        client_no_context_takeover: agreement.client_no_context_takeover,
        // RFC 7692 §7.1.2.1: an offered limit is taken by repeating it, or a lower one.
        server_max_window_bits: (offer.server_max_window_bits.is_some() || server_bits < 15)
            .then_some(server_bits),
        client_max_window_bits: (client_bits < 15).then_some(ClientBits::Most(client_bits)),
    };
    Some((agreement, params.header()?))
}

/// What a client offers: the value of the request's `Sec-WebSocket-Extensions`. `None` when
/// compression is off.
pub fn offer(settings: &Settings) -> Option<HeaderValue> {
    if settings.enabled { offered(settings).header() } else { None }
}

/// The parameters of [`offer`]. That the client can limit its window is always said (RFC 7692
/// §7.1.2.2), since it costs nothing.
fn offered(settings: &Settings) -> Params {
    let (server_bits, client_bits) = (settings.server_bits(), settings.client_bits());
    Params {
        server_no_context_takeover: settings.server_no_context_takeover,
        client_no_context_takeover: settings.client_no_context_takeover,
        server_max_window_bits: (server_bits < 15).then_some(server_bits),
        client_max_window_bits: Some(match client_bits {
            15 => ClientBits::Any,
            bits => ClientBits::Most(bits),
        }),
    }
}

/// Checks the server's answer against what [`offer`] asked for with the same settings. `headers`
/// are all `Sec-WebSocket-Extensions` of the response; `None` is an answer without compression.
pub fn accept<'a>(
    headers: impl IntoIterator<Item = &'a HeaderValue>,
    settings: &Settings,
) -> Result<Option<Agreement>, AnswerError> {
    let mut answer = None;
    let mut wrong = None;
    extensions::parse(headers, |extension| {
        let error = if extension.name != NAME || !settings.enabled {
            AnswerError::Unasked(extension.name.to_owned())
        } else if answer.is_some() {
            AnswerError::Twice
        } else {
            match parse_params(&extension) {
                Ok(params) => {
                    answer = Some(params);
                    return;
                }
                Err(error) => error.into(),
            }
        };
        wrong.get_or_insert(error);
    })?;
    match (wrong, answer) {
        (Some(error), _) => Err(error),
        (None, None) => Ok(None),
        (None, Some(answer)) => accept_params(answer, settings).map(Some),
    }
}

fn accept_params(answer: Params, settings: &Settings) -> Result<Agreement, AnswerError> {
    let offer = offered(settings);
    // RFC 7692 §7.1.1.1: the server takes the offer by repeating the parameter. Some (Tornado) pass
    // over it; that costs a window here, and is no reason to go without a connection.
    // RFC 7692 §7.1.2.1: "the same or smaller value as the offer".
    let server_bits = answer.server_max_window_bits.unwrap_or(15);
    if server_bits > offer.server_max_window_bits.unwrap_or(15) {
        return Err(AnswerError::Ignored(SERVER_BITS));
    }
    let client_bits = match answer.client_max_window_bits {
        None => settings.client_bits(),
        // RFC 7692 §7.1.2.2: in an answer the parameter has a value, no larger than the offer's.
        Some(ClientBits::Any) => return Err(ParamError::Value(CLIENT_BITS).into()),
        Some(ClientBits::Most(bits)) if bits > settings.client_bits() => {
            return Err(AnswerError::Ignored(CLIENT_BITS));
        }
        Some(ClientBits::Most(bits)) => bits,
    };
    Ok(Agreement {
        server_no_context_takeover: answer.server_no_context_takeover,
        // RFC 7692 §7.1.1.2: a client that offered it does it, whatever the answer says.
        client_no_context_takeover: answer.client_no_context_takeover
            || offer.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
        ..settings.agreement()
    })
}

/// RFC 7692 §7.1: a parameter that is unknown, repeated or has a wrong value spoils the whole.
fn parse_params(extension: &Extension<'_>) -> Result<Params, ParamError> {
    let mut params = Params::default();
    for (name, value) in &extension.params {
        let value = value.as_deref();
        match *name {
            SERVER_FRESH => flag(&mut params.server_no_context_takeover, SERVER_FRESH, value)?,
            CLIENT_FRESH => flag(&mut params.client_no_context_takeover, CLIENT_FRESH, value)?,
            SERVER_BITS => {
                let bits = value.and_then(window_bits).ok_or(ParamError::Value(SERVER_BITS))?;
                once(&mut params.server_max_window_bits, SERVER_BITS, bits)?;
            }
            CLIENT_BITS => {
                let bits = match value.map(window_bits) {
                    None => ClientBits::Any,
                    Some(Some(bits)) => ClientBits::Most(bits),
                    Some(None) => return Err(ParamError::Value(CLIENT_BITS)),
                };
                once(&mut params.client_max_window_bits, CLIENT_BITS, bits)?;
            }
            unknown => return Err(ParamError::Unknown(unknown.to_owned())),
        }
    }
    Ok(params)
}

fn flag(slot: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), ParamError> {
    if value.is_some() {
        return Err(ParamError::Value(name));
    }
    if std::mem::replace(slot, true) {
        return Err(ParamError::Repeated(name));
    }
    Ok(())
}

fn once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), ParamError> {
    if slot.replace(value).is_some() {
        return Err(ParamError::Repeated(name));
    }
    Ok(())
}

/// RFC 7692 §7.1.2.1: "a decimal integer without leading zeroes between 8 to 15, inclusive".
fn window_bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

impl Params {
    fn header(self) -> Option<HeaderValue> {
        let mut text = String::from(NAME);
        let mut push = |name: &str, bits: Option<u8>| {
            text.push_str("; ");
            text.push_str(name);
            if let Some(bits) = bits {
                text.push('=');
                text.push_str(&bits.to_string());
            }
        };
        if self.server_no_context_takeover {
            push(SERVER_FRESH, None);
        }
        if self.client_no_context_takeover {
            push(CLIENT_FRESH, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            push(SERVER_BITS, Some(bits));
        }
        match self.client_max_window_bits {
            None => {}
            Some(ClientBits::Any) => push(CLIENT_BITS, None),
            Some(ClientBits::Most(bits)) => push(CLIENT_BITS, Some(bits)),
        }
        HeaderValue::try_from(text).ok()
    }
}
